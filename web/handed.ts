/**
 * What is kept here and was given to the browser's downloads. A browser does not tell a page what becomes of a download: the person may
 * have been asked where to, and have said nowhere. So the copy stays until somebody deletes it, and is only called otherwise.
 */
import type { Kept } from '../src/browser/light.ts';
import { store, stored } from './stored.ts';

const HANDED = 'beeline-handed';
/** The oldest is forgotten first. */
const MOST = 200;

type Which = Pick<Kept, 'id' | 'at' | 'complete'>;

const keyOf = ({ id, at }: Which): string => `${id} ${at}`;

/** Other tabs write it too. */
function read(): string[] {
  try {
    const found: unknown = JSON.parse(stored(HANDED) ?? '[]');
    return Array.isArray(found) ? found.filter((key) => typeof key === 'string') : [];
  } catch {
    // Somebody else's text.
    return [];
  }
}

const write = (all: readonly string[]): void =>
  store(HANDED, all.length === 0 ? undefined : JSON.stringify(all.slice(-MOST)));

const withoutIt = (kept: Which): string[] => read().filter((key) => key !== keyOf(kept));

export const handOver = (kept: Which): void => write([...withoutIt(kept), keyOf(kept)]);

/** It has been received once more, and is the person's to save again. */
export const takeBack = (kept: Which): void => write(withoutIt(kept));

export const handedOver = (kept: Which): boolean => kept.complete && read().includes(keyOf(kept));
