/** Name lookups for connections to places that a server names: they find what it may send its clients to, and nothing else. */
import { type LookupAddress, lookup as lookupName } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { mayGoTo } from '../base/nearness.ts';

/** The web's, which lead through firewalls, and those that anybody may open. Most other services are at the rest. */
const WEB: ReadonlySet<number> = new Set([443, 80]);
const FIRST_FREE = 1024;

export const isServicePort = (port: number): boolean => WEB.has(port) || port >= FIRST_FREE;

export const NOT_ITS_PLACE = 'in a network that the server itself is not in';

/** The addresses of a host; none if that name leads nowhere from here. */
export async function addressesOf(host: string): Promise<string[]> {
  const bare = host.replace(/^\[|\]$/g, '');
  if (isIP(bare)) return [bare];
  return (await lookup(bare, { all: true }).catch(() => [])).map(({ address }) => address);
}

/**
 * It is asked once for a connection, and what it finds is what is dialled: a name that leads elsewhere the second time gains nothing.
 * @param host an address is looked at now, since nobody looks one up
 * @param home addresses of the server that names it
 * @throws what `refused` makes, like the lookup
 */
export function nearLookup(host: string, home: readonly string[], refused: () => Error): LookupFunction {
  if (isIP(host) && !mayGoTo(host, home)) throw refused();
  return (name, options, done) => {
    lookupName(name, { ...options, all: true }, (error, found: LookupAddress[]) => {
      if (error) return done(error, []);
      const allowed = found.filter(({ address }) => mayGoTo(address, home));
      const [first] = allowed;
      if (!first) return done(refused(), []);
      if (options.all) done(null, allowed);
      else done(null, first.address, first.family);
    });
  };
}
