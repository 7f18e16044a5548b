/** What is in this browser's storage, as it is offered. Pure. */
import { escapeName, type Kept, type OfferSummary } from '../../src/browser/light.ts';

/** The first name at the top, and how many more there are beside it. */
export function keptTitle({ name, files, folders }: Pick<Kept, 'name' | 'files' | 'folders'>): string {
  const tops = new Set([...files.map(({ path }) => path), ...folders].map((path) => path.split('/', 1)[0]));
  return tops.size > 1 ? `${escapeName(name)} and ${tops.size - 1} more` : escapeName(name);
}

/** 0 to 99: what is not complete is never called so. */
export function percentKept({ have, bytes }: Pick<Kept, 'have' | 'bytes'>): number {
  return bytes === 0 ? 0 : Math.min(99, Math.floor((have / bytes) * 100));
}

/** The first name at the top of an offer, escaped, without the mark of a folder. */
export function firstName({ names }: Pick<OfferSummary, 'names'>): string | undefined {
  return names[0]?.replace(/\/$/, '');
}

/** Whether an offer looks to people like the same thing of which a part is kept. */
export function sameContents(
  offer: Pick<OfferSummary, 'names' | 'files' | 'folders' | 'bytes'>,
  { name, files, folders, bytes }: Pick<Kept, 'name' | 'files' | 'folders' | 'bytes'>,
): boolean {
  const same = offer.files === files.length && offer.folders === folders.length && offer.bytes === bytes;
  return same && firstName(offer) === escapeName(name);
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
