/** With the option `trust`: once everything has arrived, the other side of a transfer by code is a trusted device. */
import { toHex } from '../base/bytes.ts';
import { asBeelineError, type BeelineError, fault } from '../base/errors.ts';
import { parseDeviceKey } from '../identity/device-key.ts';
import { checkName } from '../identity/device-name.ts';
import { KnownDevices } from '../identity/devices.ts';
import type { TransferEvent } from '../session/api.ts';

export interface Trusting {
  /** This device's public key, in hex: what its hello says. */
  readonly device: string;
  /** Adds the other side to the trusted devices. Never rejects: the transfer is done whether or not this works. */
  add(): Promise<void>;
}

/** What a transfer tells of, and is told by. */
interface Told {
  subscribe(listener: (event: TransferEvent) => void): unknown;
  readonly events: { emit(event: TransferEvent): void };
}

/** @param trust the option's name for it @throws BeelineError USAGE if that name cannot be given to another device */
export async function trusting(
  transfer: Told,
  { trust, configDir }: { trust: string; configDir?: string | undefined },
  warn: (error: BeelineError) => void,
): Promise<Trusting> {
  const name = checkName(trust);
  const devices = await KnownDevices.open(configDir);
  if (devices.find(name)) throw fault('DEVICE_NAME_TAKEN', { name });
  let key: string | undefined;
  transfer.subscribe((event) => {
    if (event.event === 'peer' && (event.peer ?? 1) === 1) key = event.key;
  });
  return {
    device: toHex(parseDeviceKey(devices.own.publicKey)),
    async add() {
      try {
        if (key === undefined) throw fault('DEVICE_NOT_SHOWN');
        const added = await devices.add(name, key);
        transfer.events.emit({ event: 'trusted', ...added });
      } catch (thrown) {
        warn(asBeelineError(thrown));
      }
    },
  };
}
