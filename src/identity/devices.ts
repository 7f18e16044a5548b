/**
 * This device's key pair and the devices that it trusts, kept in the configuration folder: `device.key` (PKCS #8
 * PEM) and `devices.json`. Both sides of a pair must have added each other; then no code is needed.
 */
import { isAbsolute, join } from 'node:path';
import * as v from 'valibot';
import { fault } from '../base/errors.ts';
import { count, list, only, text, tryJson } from '../base/json.ts';
import { defaultConfigDir, madeOnce, readPrivate, whileLocked, writePrivate } from './config-folder.ts';
import { formatDeviceKey, parseDeviceKey } from './device-key.ts';
import { checkName } from './device-name.ts';
import { fromDevices } from './device-secret.ts';
import type { SharedSecret } from './secret.ts';
import { generatePrivatePem, type OwnKeys, readPrivatePem } from './x25519.ts';

export interface Device {
  name: string;
  /** `bl1...`, see device-key.ts. */
  key: string;
  /** What an inbox that stays does with what comes from it. Absent: it takes everything, into its own folder. */
  inbox?: InboxRules;
}

export interface InboxRules {
  /** A folder, absolute. */
  to?: string;
  /** Below it, with placeholders, as `within` of `receive`. */
  within?: string;
  /** Bytes of one offer. */
  maxBytes?: number;
  /** Bytes in all, since a time in milliseconds since 1970. */
  quota?: { bytes: number; since: number };
  /** Somebody is asked each time. */
  ask?: boolean;
  /** What to do with a file that exists. */
  overwrite?: (typeof OVERWRITE)[number];
  /** Nothing is taken. */
  refuse?: boolean;
}

const OVERWRITE = ['skip', 'rename', 'replace', 'update'] as const;

const MAX_DEVICES = 1000;
const KEY_RULES = { max: 4096, forbidden: 0o077 };
// Who is trusted is no secret, but nobody else may decide it.
const LIST_RULES = { max: 8 * 1024 * 1024, forbidden: 0o022 };

export class KnownDevices {
  /** This device's public key, in the form that the other device is given. */
  readonly own: { readonly publicKey: string };
  readonly #folder: string;
  readonly #keys: OwnKeys;
  #devices: readonly Device[];

  private constructor(folder: string, keys: OwnKeys, devices: readonly Device[]) {
    this.#folder = folder;
    this.#keys = keys;
    this.own = { publicKey: formatDeviceKey(keys.publicKey) };
    this.#devices = devices;
  }

  /**
   * Reads the folder, and makes it and this device's key at first use.
   * @throws BeelineError USAGE if a file in it is open to others; DAMAGED; UNREADABLE, WRITE_FAILED, TIMEOUT.
   */
  static async open(configDir: string = defaultConfigDir()): Promise<KnownDevices> {
    const keys = await madeOnce(
      configDir,
      () => readOwnKeys(configDir),
      async () => {
        const pem = generatePrivatePem();
        await writePrivate(keyPath(configDir), pem);
        return readPrivatePem(pem)!;
      },
    );
    return new KnownDevices(configDir, keys, await readDevices(configDir));
  }

  /** In the order they were added. */
  list(): Device[] {
    return this.#devices.map((device) => ({ ...device }));
  }

  /** By name or by key. */
  find(nameOrKey: string): Device | undefined {
    const found = findIn(this.#devices, nameOrKey);
    return found && { ...found };
  }

  /**
   * Trusts a device; adding the same one again changes nothing.
   * @throws BeelineError USAGE if name or key cannot be used, or either stands for another device already.
   */
  async add(name: string, key: string): Promise<Device> {
    const peerPublic = parseDeviceKey(key);
    const device = { name: checkName(name), key: formatDeviceKey(peerPublic) };
    if (device.key === this.own.publicKey) throw fault('DEVICE_KEY_OWN');
    // Refuses keys of small order now, not at the first transfer.
    fromDevices(this.#keys, peerPublic, 'sender');
    await this.#change((devices) => {
      const other = devices.find((known) => known.name === device.name || known.key === device.key);
      if (other?.name === device.name && other.key === device.key) return devices;
      if (other)
        throw fault(other.name === device.name ? 'DEVICE_NAME_TAKEN' : 'DEVICE_KEY_TRUSTED', {
          name: other.name,
        });
      if (devices.length >= MAX_DEVICES) throw fault('TOO_MANY_DEVICES', { most: MAX_DEVICES });
      return [...devices, device];
    });
    return device;
  }

  /** @throws BeelineError USAGE if no such device is trusted. */
  async remove(nameOrKey: string): Promise<Device> {
    let removed: Device | undefined;
    await this.#change((devices) => {
      removed = requireIn(devices, nameOrKey);
      return devices.filter((device) => device !== removed);
    });
    return removed!;
  }

  /** Instead of the rules that it has. @throws BeelineError USAGE if no such device is trusted, or a rule cannot be. */
  async setInbox(nameOrKey: string, rules: InboxRules | undefined): Promise<Device> {
    if (rules && !v.safeParse(RULES, rules).success) throw fault('INBOX_RULES_WRONG');
    let changed: Device | undefined;
    await this.#change((devices) => {
      const { name, key } = requireIn(devices, nameOrKey);
      const device: Device = { name, key, ...(rules && { inbox: rules }) };
      changed = device;
      return devices.map((each) => (each.key === key ? device : each));
    });
    return changed!;
  }

  /** What this device, in this role, and that one in the other both know. @throws BeelineError USAGE if it is not trusted. */
  secretFor(nameOrKey: string, role: 'sender' | 'receiver'): SharedSecret {
    const device = requireIn(this.#devices, nameOrKey);
    return fromDevices(this.#keys, parseDeviceKey(device.key), role);
  }

  /** Starts from what is on disk now, for another process may have written since. */
  async #change(edit: (devices: readonly Device[]) => readonly Device[]): Promise<void> {
    await whileLocked(this.#folder, async () => {
      const before = await readDevices(this.#folder);
      const after = edit(before);
      if (after !== before)
        await writePrivate(
          listPath(this.#folder),
          `${JSON.stringify({ version: 1, devices: after }, null, 2)}\n`,
        );
      this.#devices = after;
    });
  }
}

function findIn(devices: readonly Device[], nameOrKey: string): Device | undefined {
  const name = nameOrKey.trim().normalize('NFC');
  const key = name.toLowerCase();
  return devices.find((device) => device.name === name || device.key === key);
}

function requireIn(devices: readonly Device[], nameOrKey: string): Device {
  const device = findIn(devices, nameOrKey);
  if (!device) throw fault('DEVICE_UNKNOWN', { name: nameOrKey });
  return device;
}

async function readOwnKeys(folder: string): Promise<OwnKeys | undefined> {
  const path = keyPath(folder);
  const pem = await readPrivate(path, KEY_RULES);
  if (pem === undefined) return undefined;
  const keys = readPrivatePem(pem);
  if (!keys) throw fault('DEVICE_KEY_FILE_DAMAGED', { path });
  return keys;
}

const keyPath = (folder: string) => join(folder, 'device.key');
const listPath = (folder: string) => join(folder, 'devices.json');

async function readDevices(folder: string): Promise<readonly Device[]> {
  const path = listPath(folder);
  const json = await readPrivate(path, LIST_RULES);
  if (json === undefined) return [];
  const devices = parseDevices(json);
  if (!devices) throw fault('DEVICE_LIST_DAMAGED', { path });
  return devices;
}

const BYTES = count(Number.MAX_SAFE_INTEGER, 1);
const RULES = v.pipe(
  only({
    to: v.optional(
      v.pipe(
        text(2048),
        v.check((path) => isAbsolute(path)),
      ),
    ),
    within: v.optional(text(2048)),
    maxBytes: v.optional(BYTES),
    quota: v.optional(only({ bytes: BYTES, since: count(Number.MAX_SAFE_INTEGER) })),
    ask: v.optional(v.boolean()),
    overwrite: v.optional(v.picklist(OVERWRITE)),
    refuse: v.optional(v.boolean()),
  }),
  v.check(({ to, within }) => within === undefined || to !== undefined),
);
const LIST = v.object({
  version: v.literal(1),
  devices: list(v.object({ name: v.string(), key: v.string(), inbox: v.optional(RULES) }), MAX_DEVICES),
});

/** Undefined unless every entry is one that `add` could have written: a half-read trust list is worse than none. */
function parseDevices(json: string): Device[] | undefined {
  try {
    const parsed = tryJson(LIST, json)?.devices.map(
      ({ name, key, inbox }): Device => ({
        ...{ name: checkName(name), key: formatDeviceKey(parseDeviceKey(key)) },
        ...(inbox && { inbox }),
      }),
    );
    const distinct = new Set(parsed?.flatMap(({ name, key }) => [name, key]));
    return distinct.size === 2 * (parsed?.length ?? 0) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
