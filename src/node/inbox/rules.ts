/** What an inbox does with an offer, by the rules for its device. */
import { type BeelineError, fault } from '../../base/errors.ts';
import type { Device } from '../../identity/devices.ts';
import type { OfferSummary } from '../../session/api.ts';
import { formatBytes } from '../../session/format.ts';

/** @param received bytes that have come from it since its quota began. @returns why the offer is declined, if it is */
export function judge(
  { name: device, inbox }: Device,
  { bytes }: Pick<OfferSummary, 'bytes'>,
  received: number,
): BeelineError | 'accept' | 'ask' {
  const { refuse = false, ask = false, maxBytes, quota } = inbox ?? {};
  if (refuse) return fault('INBOX_REFUSES', { device });
  if (maxBytes !== undefined || quota) {
    if (bytes === null) return fault('OFFER_WITHOUT_SIZE', { device });
    if (maxBytes !== undefined && bytes > maxBytes) {
      const [size, most] = told(bytes, maxBytes);
      return fault('OFFER_OVER_LIMIT', { device, size, most });
    }
    const left = Math.max(0, (quota?.bytes ?? Infinity) - received);
    if (bytes > left) {
      const [size, rest] = told(bytes, left);
      return fault('QUOTA_SPENT', { device, size, left: rest });
    }
  }
  return ask ? 'ask' : 'accept';
}

/** Both to the byte where they would look the same. */
function told(one: number, other: number): [string, string] {
  const sizes = [formatBytes(one), formatBytes(other)] as const;
  return sizes[0] === sizes[1] ? [`${one} bytes`, `${other} bytes`] : [...sizes];
}
