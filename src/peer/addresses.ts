/** Where this machine can be reached, as candidates for the peer. */
import { networkInterfaces } from 'node:os';
import { BeelineError } from '../protocol/errors.ts';
import { MAX_CANDIDATES } from '../protocol/limits.ts';

export interface HostPort {
  host: string;
  port: number;
}

/**
 * Every address of every interface, loopback last (two shells on one machine without a network). Link-local IPv6
 * addresses mean nothing without the other machine's interface name and are left out.
 */
export function localCandidates(port: number): HostPort[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const usable = all.filter(({ family, address }) => family === 'IPv4' || !/^fe[89ab]/i.test(address));
  const sorted = [...usable.filter((entry) => !entry.internal), ...usable.filter((entry) => entry.internal)];
  const hosts = new Set(sorted.map((entry) => entry.address));
  return [...hosts].slice(0, MAX_CANDIDATES).map((host) => ({ host, port }));
}

/** @throws BeelineError USAGE unless it is `HOST:PORT` or `[IPv6]:PORT`. */
export function parseHostPort(text: string): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (!match || port > 65535) {
    throw new BeelineError(
      'USAGE',
      `'${text}' is not HOST:PORT. Examples: 192.168.1.7:4848, [fd00::7]:4848, lab2.example:4848.`,
    );
  }
  return { host: (match[1] ?? match[2])!, port };
}
