/** By its place a sender knows this page again after it was reloaded, or closed and opened anew, and gives it its session back. */
import { fromHex, toHex } from '../base/bytes.ts';
import { placeFor } from '../identity/place.ts';
import type { SharedSecret } from '../identity/secret.ts';

/** Of what this browser stores: 32 random bytes in hex. They never leave it. */
const STORED = 'beeline-place';
const KEY_BYTES = 32;
const TEXT = new RegExp(`^[0-9a-f]{${2 * KEY_BYTES}}$`);

const made = () => crypto.getRandomValues(new Uint8Array(KEY_BYTES));
/** Where the browser stores nothing for this site. */
let inMemory: Uint8Array | undefined;

/**
 * One tab has the place that outlives it. Another tab that receives under the same secret at the same time is another receiver.
 * @param signal lets go of it
 */
export async function pagePlace(secret: SharedSecret, signal: AbortSignal): Promise<string> {
  const place = placeFor(browserKey(), secret, '');
  return (await mine(`beeline ${place}`, signal)) ? place : placeFor(made(), secret, '');
}

/** What no other browser has. */
export function browserKey(): Uint8Array {
  try {
    const stored = localStorage.getItem(STORED);
    if (stored !== null && TEXT.test(stored)) return fromHex(stored);
    const text = toHex(made());
    localStorage.setItem(STORED, text);
    return fromHex(text);
  } catch {
    inMemory ??= made();
    return inMemory;
  }
}

/** Without locks two tabs have one place, and the sender tells them apart while both are there. */
function mine(name: string, signal: AbortSignal): Promise<boolean> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    const hold = (lock: Lock | null) => {
      resolve(lock !== null);
      return lock && !signal.aborted
        ? new Promise<void>((release) => signal.addEventListener('abort', () => release(), { once: true }))
        : undefined;
    };
    locks.request(name, { ifAvailable: true }, hold).catch(() => resolve(false));
  });
}
