/** Keys by which this browser and another device know each other again, and the secret that two of them make. */
import { fromHex, toHex } from '../../base/bytes.ts';
import { BeelineError, fault } from '../../base/errors.ts';
import { DEVICE_KEY_BYTES, formatDeviceKey, parseDeviceKey } from '../../identity/device-key.ts';
import type { SharedSecret } from '../../identity/secret.ts';
import { fromExchange } from '../../identity/standing-secret.ts';
import type { Known } from '../../session/ports.ts';
import { addPageDevice, type PageDevice, pageDevice } from './devices.ts';

/** This side's for one other device. */
export interface OwnPair {
  /** The public one, in hex. */
  readonly id: string;
  readonly own: CryptoKey;
}

const X25519 = 'X25519';

/** Undefined in a browser that has no such keys: it can neither remember nor be remembered. */
export async function newPair(): Promise<OwnPair | undefined> {
  try {
    const pair = (await crypto.subtle.generateKey(X25519, false, ['deriveBits'])) as CryptoKeyPair;
    const raw = await crypto.subtle.exportKey('raw', pair.publicKey);
    return { id: toHex(new Uint8Array(raw)), own: pair.privateKey };
  } catch {
    return undefined;
  }
}

/**
 * From now on it is trusted here. It is of use once the other side trusts this one too.
 * @param what its name, kind and key
 * @throws BeelineError USAGE for a key or name that cannot be used, or if there are too many
 */
export async function remember(
  { id, own }: OwnPair,
  what: Pick<PageDevice, 'name' | 'kind' | 'key'>,
): Promise<void> {
  const device: PageDevice = { ...what, id, own, at: Date.now() };
  if (what.key === formatDeviceKey(fromHex(id))) throw fault('DEVICE_KEY_OWN');
  // Refuses keys of small order now, not at the first transfer.
  await secretWith(device, 'sender').catch((error) => {
    throw error instanceof BeelineError ? error : fault('DEVICE_KEY_UNUSABLE');
  });
  await addPageDevice(device);
}

/** @param device its `id` @throws BeelineError USAGE if it is not trusted, or not any more */
export async function knownDevice(device: string, role: 'sender' | 'receiver'): Promise<Known> {
  const found = await pageDevice(device);
  const { id, name, key } = found;
  const secret = await secretWith(found, role);
  return { secret, device: { name, key }, own: formatDeviceKey(fromHex(id)) };
}

/** What this side, in this role, and that device both know. Rejects where its key is none of X25519. */
export async function secretWith(
  { id, own, key }: Pick<PageDevice, 'id' | 'own' | 'key'>,
  role: 'sender' | 'receiver',
): Promise<SharedSecret> {
  const theirs = new Uint8Array(parseDeviceKey(key));
  const point = await crypto.subtle.importKey('raw', theirs, X25519, true, []);
  const shared = await crypto.subtle.deriveBits({ name: X25519, public: point }, own, 8 * DEVICE_KEY_BYTES);
  return fromExchange(new Uint8Array(shared), fromHex(id), theirs, role);
}
