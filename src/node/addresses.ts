/** This machine's addresses, and how a person writes one. */
import { networkInterfaces } from 'node:os';
import { needsZone } from '../base/addresses.ts';
import { fault } from '../base/errors.ts';
import { type InterfaceListing, rankedInterfaces } from '../meeting/lan/interfaces.ts';
import type { Address } from '../wire/candidate.ts';

/** Each is two candidates, and others need room beside them. */
const MOST = 24;
const MOST_INTERNAL = 4;

/**
 * The addresses of interfaces, of those that matter most first, loopback last (two shells on one machine without a network). Link-local IPv6
 * addresses mean nothing without the other machine's interface name and are left out.
 */
export function localHosts(listing?: InterfaceListing): string[] {
  const all = rankedInterfaces(listing).flatMap(([, infos]) => infos);
  const usable = all.filter(({ family, address }) => family === 'IPv4' || !needsZone(address));
  const own = usable.filter(({ internal }) => internal).slice(0, MOST_INTERNAL);
  const others = usable.filter(({ internal }) => !internal).slice(0, MOST - own.length);
  return [...new Set([...others, ...own].map(({ address }) => address))];
}

/** Every address, of whatever use: two of the same sets say that the network is as it was. */
export function allHosts(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}

/** @throws BeelineError USAGE unless it is `HOST:PORT` or `[IPv6]:PORT`. */
export function parseHostPort(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (!match || port > 65535) {
    throw fault('ADDRESS_MALFORMED', { text });
  }
  return { host: (match[1] ?? match[2])!, port };
}

/**
 * The port that is so many after one that a person has chosen; 0, which is any, if none was chosen.
 * @throws BeelineError USAGE if there is none
 */
export function portBeside(chosen: number | undefined, after: number): number {
  if (!chosen) return 0;
  if (chosen + after > 65_535) throw fault('WEB_NO_PORT', { port: chosen });
  return chosen + after;
}
