/**
 * The devices that this browser trusts, in its IndexedDB, where the key that stands for this side lies beside each. It has another key
 * for each of them, so that nobody can tell by it that two of them know the same browser. No private key ever leaves the browser:
 * not even a script of this page can read one.
 */
import { fault } from '../../base/errors.ts';
import { checkName } from '../../identity/device-name.ts';
import { inStore } from '../database.ts';

export type PageDeviceKind = 'computer' | 'phone' | 'terminal';

export interface PageDevice {
  /** This side's public key to it, in hex. */
  readonly id: string;
  /** As the person here calls it. */
  readonly name: string;
  readonly kind: PageDeviceKind;
  /** Its public key, `bl1...`. */
  readonly key: string;
  /** This side's private key to it. */
  readonly own: CryptoKey;
  /** When something was last sent to it or came from it: milliseconds since 1970. */
  readonly at: number;
}

/** Each of them is waited for while the page is open. */
export const MOST_PAGE_DEVICES = 100;

const DEVICES = { database: 'beeline-devices', store: 'devices', keyPath: 'id' } as const;
const KINDS: ReadonlySet<unknown> = new Set(['computer', 'phone', 'terminal']);

/** Those that were met last come first. None where the browser stores nothing for this site. */
export async function pageDevices(): Promise<PageDevice[]> {
  const found = await inStore(DEVICES, 'readonly', (store) =>
    store.getAll(undefined, MOST_PAGE_DEVICES),
  ).catch(() => []);
  return found.filter(isDevice).sort((one, other) => other.at - one.at);
}

/** As it is stored now. @throws BeelineError USAGE if it is not, or not any more */
export async function pageDevice(id: string): Promise<PageDevice> {
  const found = await inStore(
    DEVICES,
    'readonly',
    (store) => store.get(id) as IDBRequest<Partial<PageDevice> | undefined>,
  );
  if (!found || !isDevice(found)) throw fault('DEVICE_UNKNOWN', { name: id });
  return found;
}

/** @throws BeelineError USAGE if there are too many, its key is trusted already, or the name cannot be used; what the browser throws where it stores nothing */
export async function addPageDevice(device: PageDevice): Promise<void> {
  const named = { ...device, name: checkName(device.name) };
  if ((await inStore(DEVICES, 'readonly', (store) => store.count())) >= MOST_PAGE_DEVICES)
    throw fault('TOO_MANY_DEVICES', { most: MOST_PAGE_DEVICES });
  const other = (await pageDevices()).find(({ key }) => key === device.key);
  if (other) throw fault('DEVICE_KEY_TRUSTED', { name: other.name });
  await inStore(DEVICES, 'readwrite', (store) => store.put(named));
}

/** One that was forgotten in another tab stays so. @throws BeelineError USAGE if the name cannot be used */
export async function changePageDevice(
  id: string,
  change: Partial<Pick<PageDevice, 'name' | 'at'>>,
): Promise<void> {
  const { name } = change;
  const checked = { ...change, ...(name !== undefined && { name: checkName(name) }) };
  await inStore(DEVICES, 'readwrite', (store) => {
    const get = store.get(id);
    get.onsuccess = () => get.result && store.put({ ...get.result, ...checked });
    return get;
  });
}

/** What it sends is not taken any more, and nothing can be sent to it: the key is gone. */
export async function forgetPageDevice(id: string): Promise<void> {
  await inStore(DEVICES, 'readwrite', (store) => store.delete(id));
}

/** Another version of this page may have stored something else. */
function isDevice(found: Partial<PageDevice>): found is PageDevice {
  const { id, name, kind, key, own, at } = found;
  const texts = typeof id === 'string' && typeof name === 'string' && typeof key === 'string';
  return texts && KINDS.has(kind) && own instanceof CryptoKey && Number.isFinite(at);
}
