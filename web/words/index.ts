/**
 * The words of the page in the language that is chosen. English is part of the page; every other language is fetched when it is wanted.
 */
import { type Common, en, type Words } from './catalogue.ts';

/** By their own names, as a person looks for them. */
export const LANGUAGES = { en: 'English', de: 'Deutsch', es: 'Español', fr: 'Français', zh: '中文' } as const;
export type Language = keyof typeof LANGUAGES;

const LOADERS: Readonly<Record<Language, () => Promise<Common>>> = {
  en: async () => en,
  de: async () => (await import('./de.ts')).de,
  es: async () => (await import('./es.ts')).es,
  fr: async () => (await import('./fr.ts')).fr,
  zh: async () => (await import('./zh.ts')).zh,
};
/** Of languages that read so; none of them is here yet, and the page is ready for one. */
const RIGHT_TO_LEFT: ReadonlySet<string> = new Set(['ar', 'fa', 'he', 'ur']);

let words: Common = en;
let chosen: Language = 'en';
/** Made with the first number that is said: the first picture has none, and a slow telephone takes a tenth of a second for these. */
let made: { plurals: Intl.PluralRules; numbers: Intl.NumberFormat } | undefined;
const ofLanguage = () => {
  made ??= { plurals: new Intl.PluralRules(chosen), numbers: new Intl.NumberFormat(chosen) };
  return made;
};

export const language = (): Language => chosen;
export const direction = (): 'ltr' | 'rtl' => (RIGHT_TO_LEFT.has(chosen) ? 'rtl' : 'ltr');

/** Between two sentences. */
export const gap = (): string => (chosen === 'zh' ? '' : ' ');

/** To be given to `use`. Rejects where it cannot be fetched. */
export const fetchWords = (wanted: Language): Promise<Common> => LOADERS[wanted]();

export function use(wanted: Language, translation: Common): void {
  words = translation;
  chosen = wanted;
  made = undefined;
}

/** The first that the person reads and that is here. @param wishes as `navigator.languages` */
export function bestLanguage(wishes: readonly string[]): Language {
  for (const wish of wishes) {
    const [base] = wish.toLowerCase().split('-', 1);
    if (isLanguage(base)) return base;
  }
  return 'en';
}

export const isLanguage = (text: unknown): text is Language =>
  typeof text === 'string' && Object.hasOwn(LANGUAGES, text);

export type Key = keyof Words;
type Text<K extends Key> = Words[K] extends { other: infer T extends string } ? T : Words[K];
type SlotsIn<T> = T extends `${string}{${infer S}}${infer Rest}` ? S | SlotsIn<Rest> : never;
type Slot<K extends Key> = SlotsIn<Text<K>>;
export type Slots<K extends Key> = [Slot<K>] extends [never]
  ? []
  : [{ readonly [S in Slot<K>]: string | number }];

/** Numbers are written as the language writes them. */
export function say<K extends Key>(key: K, ...[slots]: Slots<K>): string {
  return filled<string>(key, slots as Readonly<Record<string, string | number>> | undefined).join('');
}

/** The same, cut where slots are, for those that are filled by something that can be seen. */
export function sayWith<K extends Key, T>(
  key: K,
  slots: Readonly<Record<Slot<K>, T | number>>,
): (string | T)[] {
  return filled<T>(key, slots) as (string | T)[];
}

/** A text whose key is put together, cut where slots are: undefined where there is none, or where nothing fills a slot. */
export function sayIfAny<T = string>(
  key: string,
  slots?: Readonly<Record<string, T | number>>,
): (string | T)[] | undefined {
  if (!Object.hasOwn(words, key)) return undefined;
  const parts = filled(key as Key, slots);
  return parts.includes(undefined) ? undefined : (parts as (string | T)[]);
}

function filled<T>(
  key: Key,
  slots: Readonly<Record<string, T | number | string>> = {},
): (string | T | undefined)[] {
  const text = pick(key, slots.n);
  return text.split(/(\{\w+\})/).map((part) => {
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    if (name === undefined) return part;
    const value = slots[name];
    return typeof value === 'number' ? ofLanguage().numbers.format(value) : value;
  });
}

function pick(key: Key, n: unknown): string {
  const text = words[key];
  if (typeof text === 'string') return bound(text);
  const form = typeof n === 'number' ? ofLanguage().plurals.select(n) : 'other';
  return bound(text[form] ?? text.other);
}

/** French has a space before some signs, at which no line may end. */
function bound(text: string): string {
  return chosen === 'fr' ? text.replace(/ (?=[:;!?»])|(?<=«) /g, '\u00a0') : text;
}
