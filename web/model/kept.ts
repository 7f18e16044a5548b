/** What is in this browser's storage, as it is offered. Pure. */
import { escapeName, type Kept } from '../../src/browser/index.ts';

/** The first name at the top, and how many more there are beside it. */
export function keptTitle({ name, files, folders }: Pick<Kept, 'name' | 'files' | 'folders'>): string {
  const tops = new Set([...files.map(({ path }) => path), ...folders].map((path) => path.split('/', 1)[0]));
  return tops.size > 1 ? `${escapeName(name)} and ${tops.size - 1} more` : escapeName(name);
}

/** 0 to 99: what is not complete is never called so. */
export function percentKept({ have, bytes }: Pick<Kept, 'have' | 'bytes'>): number {
  return bytes === 0 ? 0 : Math.min(99, Math.floor((have / bytes) * 100));
}

/**
 * Whether the code at hand may be the one of an unfinished transfer.
 * @param name the first name that was received under the code in this tab; undefined in a new tab, which knows no better
 */
export function resumable(
  { complete, name: first }: Pick<Kept, 'complete' | 'name'>,
  name?: string,
): boolean {
  return !complete && (name === undefined || name === escapeName(first));
}
