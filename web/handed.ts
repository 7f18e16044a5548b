/**
 * What is kept here and was given to the browser's downloads. A browser does not tell a page what becomes of a download, so the copy
 * stays for a day, in which people see whether it is there. Then the page deletes it, when it is opened.
 */
import type { Kept } from '../src/browser/light.ts';

const HANDED = 'beeline-handed';
const COPY_KEPT_MS = 24 * 3_600_000;
/** The oldest is forgotten first; its copy then stays until somebody deletes it. */
const MOST = 200;

type Which = Pick<Kept, 'id' | 'at' | 'complete'>;

/** The same offer that is received anew is another one: it was begun at another time. */
const keyOf = ({ id, at }: Which): string => `${id} ${at}`;

/** When each was given away: milliseconds since 1970. Other tabs write it too. */
function read(): Map<string, number> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(HANDED) ?? '{}');
    const all = Object.entries(found as object).slice(-MOST);
    return new Map(all.filter((one): one is [string, number] => typeof one[1] === 'number'));
  } catch {
    return new Map();
  }
}

function write(all: ReadonlyMap<string, number>): void {
  try {
    if (all.size === 0) localStorage.removeItem(HANDED);
    else localStorage.setItem(HANDED, JSON.stringify(Object.fromEntries([...all].slice(-MOST))));
  } catch {
    // Nothing is stored for this site: then nothing is deleted either.
  }
}

export function handOver(kept: Which): void {
  const all = read();
  all.delete(keyOf(kept));
  write(all.set(keyOf(kept), Date.now()));
}

export function handedOver(kept: Which): boolean {
  return kept.complete && read().has(keyOf(kept));
}

/** Deletes the copies whose day is over. @returns the others */
export async function withoutOld(all: readonly Kept[]): Promise<readonly Kept[]> {
  const handed = read();
  if (handed.size === 0) return all;
  const now = Date.now();
  const isOld = (kept: Kept) => {
    const at = kept.complete ? handed.get(keyOf(kept)) : undefined;
    return at !== undefined && now - at > COPY_KEPT_MS;
  };
  const gone = new Set<Kept>();
  for (const kept of all.filter(isOld))
    await kept.remove().then(
      () => gone.add(kept),
      // Another tab has it in use: the next time.
      () => {},
    );
  const stay = all.filter((kept) => !gone.has(kept));
  const known = new Set(stay.map(keyOf));
  write(new Map([...handed].filter(([key]) => known.has(key))));
  return stay;
}
