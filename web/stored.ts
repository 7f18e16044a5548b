/** What a browser stores for this site in a text, for later visits or for this one. Some browsers store nothing, and say so by throwing. */

type Where = 'local' | 'session';

const storage = (where: Where): Storage => (where === 'local' ? localStorage : sessionStorage);

/** Undefined where there is nothing, or nothing is stored. */
export function stored(key: string, where: Where = 'local'): string | undefined {
  try {
    return storage(where).getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

/** @param text undefined: nothing any more. Where nothing is stored, what was chosen lasts as long as the page. */
export function store(key: string, text: string | undefined, where: Where = 'local'): void {
  try {
    if (text === undefined) storage(where).removeItem(key);
    else storage(where).setItem(key, text);
  } catch {
    // This page knows it all the same.
  }
}
