/** What a language has to have: every key of the English one, and for each number the forms of its own. */
import { en } from './en.ts';

export { en };
export type Words = typeof en;

/** By category of Intl.PluralRules; which of them a language has, a test checks. */
export type Forms = Readonly<Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }>;

export type Translation = { readonly [K in keyof Words]: Words[K] extends string ? string : Forms };
