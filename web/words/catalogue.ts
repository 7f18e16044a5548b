/** What a language has to have: every key of the English one, and for each number the forms of its own. */
import { en } from './en.ts';

export { en };
export type Words = typeof en;

/** By category of Intl.PluralRules; which of them a language has, a test checks. */
export type Forms = Readonly<Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }>;

/** What all languages have. */
export type Common = { readonly [K in keyof Words]: Words[K] extends string ? string : Forms };

/**
 * Reasons of warnings that a page may be told of. English has no words for them: it says the engine's own sentence, which comes with
 * each. Behind a full stop: whose names are many.
 */
export type Warned =
  | 'CODE_GUESSED'
  | 'CODE_GUESSED_OUT'
  | 'TIME_UP'
  | 'PLACE_LOST'
  | 'NOBODY_YET'
  | 'UNREADABLE_THERE'
  | 'CHANGED_THERE'
  | 'SOURCE_CHANGED_MEANWHILE'
  | 'FILE_UNREADABLE'
  | 'MEMBER_SILENT'
  | 'MEMBER_MISBEHAVES'
  | 'HELPER_LIES'
  | 'LINKS_MISSING'
  | 'NAME_FITTED_FOR_ALL'
  | 'NAME_WRITTEN_AS'
  | 'NAME_NOT_WRITTEN'
  | `MORE_ENTRIES.${'NAME_FITTED_FOR_ALL' | 'NAME_WRITTEN_AS' | 'NAME_NOT_WRITTEN'}`;

/** Every language but English. */
export type Translation = Common & { readonly [K in Warned as `warning.${K}`]: string | Forms };
