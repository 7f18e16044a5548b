/** What is in this browser's storage, as it is offered. Pure. */
import { escapeName, type Kept, type KeptFile, type OfferSummary } from '../../src/browser/light.ts';
import { say } from '../words/index.ts';

/** The first name at the top, and how many more there are beside it. */
export function keptTitle({ name, files, folders }: Pick<Kept, 'name' | 'files' | 'folders'>): string {
  const tops = new Set([...files.map(({ path }) => path), ...folders].map((path) => path.split('/', 1)[0]));
  const first = escapeName(name);
  return tops.size > 1 ? say('nameAndMore', { name: first, n: tops.size - 1 }) : first;
}

/** A browser takes it as it is. */
export const isOneFile = ({ files, folders }: Pick<Kept, 'files' | 'folders'>): boolean =>
  files.length === 1 && folders.length === 0;

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

/** What the person has said yes to: an offer, or that of which something is kept. */
export type Accepted = Pick<OfferSummary, 'names' | 'files' | 'folders' | 'bytes'> | Kept;

export function isSameOffer(offer: OfferSummary, before: Accepted): boolean {
  if (!('names' in before)) return sameContents(offer, before);
  const same =
    offer.files === before.files && offer.folders === before.folders && offer.bytes === before.bytes;
  return same && offer.names.join('\n') === before.names.join('\n');
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

/** What stands at the top of something kept; a single file with the file itself. */
export function keptTops({ files, folders }: Pick<Kept, 'files' | 'folders'>) {
  const found = new Map<string, { name: string; bytes: number; files?: number; file?: KeptFile }>();
  for (const path of folders) {
    const name = `${path.split('/', 1)[0]}/`;
    if (!found.has(name)) found.set(name, { name, bytes: 0, files: 0 });
  }
  for (const file of files) {
    const [top] = file.path.split('/', 1);
    if (top === file.path) {
      found.set(top, { name: top, bytes: file.size, file });
      continue;
    }
    const name = `${top}/`;
    const { bytes = 0, files: below = 0 } = found.get(name) ?? {};
    found.set(name, { name, bytes: bytes + file.size, files: below + 1 });
  }
  return [...found.values()];
}
