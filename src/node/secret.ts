/** Which secret two peers meet under: a code, a pre-shared key, or a pair of known devices. */

import { fault } from '../base/errors.ts';
import { parseCode } from '../identity/code.ts';
import { fromCode } from '../identity/secret.ts';
import type { Known } from '../session/ports.ts';
import type { CommonOptions } from './api.ts';

type SecretOptions = Pick<CommonOptions, 'code' | 'psk' | 'configDir'> & {
  device?: string | readonly string[];
};

/** The secrets that the options give, one for each device; none if a code must still be made. @throws BeelineError USAGE. */
export async function secretsFrom(options: SecretOptions, role: 'sender' | 'receiver'): Promise<Known[]> {
  const ways = [options.code, options.psk, options.device].filter((way) => way !== undefined);
  if (ways.length > 1) throw fault('SEVERAL_SECRETS');
  if (options.code !== undefined) return [{ secret: fromCode(parseCode(options.code)) }];
  if (options.psk) {
    const { fromPsk } = await import('../identity/standing-secret.ts');
    return [{ secret: fromPsk(options.psk) }];
  }
  if (options.device === undefined) return [];
  const { KnownDevices } = await import('../identity/devices.ts');
  const devices = await KnownDevices.open(options.configDir);
  return [...new Set([options.device].flat())].map((name) => {
    const device = devices.find(name);
    if (!device) throw fault('DEVICE_UNKNOWN', { name });
    return { secret: devices.secretFor(name, role), device, own: devices.own.publicKey };
  });
}
