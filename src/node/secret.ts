/** Which secret two peers meet under: a code, a pre-shared key, or a pair of known devices. */

import { fault } from '../base/errors.ts';
import { parseCode } from '../identity/code.ts';
import { fromCode } from '../identity/secret.ts';
import type { Known } from '../session/ports.ts';
import type { CommonOptions } from './api.ts';

/** The secret that the options give; undefined if a code must still be made. @throws BeelineError USAGE. */
export async function secretFrom(options: CommonOptions): Promise<Known | undefined> {
  const ways = [options.code, options.psk, options.device].filter((way) => way !== undefined);
  if (ways.length > 1) throw fault('SEVERAL_SECRETS');
  if (options.code !== undefined) return { secret: fromCode(parseCode(options.code)) };
  if (options.psk) {
    const { fromPsk } = await import('../identity/standing-secret.ts');
    return { secret: fromPsk(options.psk) };
  }
  if (options.device === undefined) return undefined;
  const { KnownDevices } = await import('../identity/devices.ts');
  const devices = await KnownDevices.open(options.configDir);
  const device = devices.find(options.device);
  if (!device) {
    throw fault('DEVICE_UNKNOWN', { name: options.device });
  }
  return { secret: devices.secretFor(options.device), device, own: devices.own.publicKey };
}
