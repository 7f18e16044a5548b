/** What the sender tells its person: the command for the other machine, and how else it can be written. */
import { networkInterfaces } from 'node:os';
import type { CommonOptions } from '../peer/api.ts';
import { shellWord } from './format.ts';

const MOST_ADDRESSES = 3;

/** Addresses that other machines may reach this one by; link-local ones need a zone, so they are no use in a command. */
export function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const usable = all.filter((address) => !address.internal && !/^(fe80:|169\.254\.)/i.test(address.address));
  return usable
    .sort((a, b) => a.family.localeCompare(b.family))
    .slice(0, MOST_ADDRESSES)
    .map((address) => (address.family === 'IPv6' ? `[${address.address}]` : address.address));
}

/** Where the sender can be reached directly, as far as its options say: only a chosen port is known beforehand. */
function meetingPoints(options: CommonOptions, addresses: () => string[]): string[] {
  const [, host, port] = /^(.*):(\d+)$/.exec(options.at ?? '') ?? [];
  const known = Number(port) || options.port || 0;
  if (options.server !== undefined || known === 0) return [];
  const anywhere = host === undefined || ['0.0.0.0', '[::]', '*'].includes(host);
  return (anywhere ? addresses() : [host]).map((address) => `${address}:${known}`);
}

/** Lines for the person. @param how `CODE`, or the flag that stands for it */
export function instructions(
  how: string,
  options: CommonOptions,
  addresses: () => string[] = ownAddresses,
): string[] {
  const command = `    beeline receive ${how}`;
  if (options.server !== undefined)
    return ['On the other machine, run:', '', `${command} --server ${shellWord(options.server)}`, ''];
  const direct = meetingPoints(options, addresses).map((point) => `${command} --at ${shellWord(point)}`);
  if (options.lan === false && direct.length > 0)
    return [`On the other machine, run${direct.length > 1 ? ' one of' : ''}:`, '', ...direct, ''];
  const main = ['On the other machine, run:', '', command, ''];
  return direct.length === 0
    ? main
    : [...main, 'or, if it is not on the same local network:', '', ...direct, ''];
}

/** `photo.jpg, docs and 3 more`. */
export function listed(names: readonly string[], most = 3): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
