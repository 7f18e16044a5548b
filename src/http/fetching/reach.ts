/**
 * To which addresses a fetch may lead. A server that is public must not make this machine ask machines of its own network, by a
 * redirect or by a name that means another address the second time. What the person named is another matter: it may be private.
 */
import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { behindNat64, isAddress, scopeOf } from '../../base/addresses.ts';
import { fault } from '../../base/errors.ts';

export interface ReachOptions {
  /** Hosts that the person named, as in `URL.hostname`. */
  named: Iterable<string>;
  /** Redirects may lead into private networks. */
  allowPrivate: boolean;
  /** Instead of the system's, in tests. */
  lookup?: typeof systemLookup;
}

export class Reach {
  readonly #named: ReadonlySet<string>;
  readonly #allowPrivate: boolean;
  readonly #system: typeof systemLookup;
  /** Named hosts that have had a public address: they have no private one later. */
  readonly #public = new Set<string>();

  constructor({ named, allowPrivate, lookup = systemLookup }: ReachOptions) {
    this.#named = new Set([...named].map(bare));
    this.#allowPrivate = allowPrivate;
    this.#system = lookup;
  }

  /** Asked right before each connection. @throws BeelineError REFUSED */
  check(hostname: string, address: string): void {
    const host = bare(hostname);
    if (scopeOf(behindNat64(address) ?? address) === 'global') {
      if (this.#named.has(host)) this.#public.add(host);
      return;
    }
    if (this.#allowPrivate || (this.#named.has(host) && !this.#public.has(host))) return;
    throw fault('HTTP_LEADS_INSIDE', { host, address });
  }

  /** For a host that is an address itself, which no name server is asked about. @throws BeelineError REFUSED */
  checkHost(hostname: string): void {
    if (isAddress(bare(hostname))) this.check(hostname, bare(hostname));
  }

  /** For net.connect: only addresses that pass come out, so that what is checked is what is connected to. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.#system(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, []);
      const passed: LookupAddress[] = [];
      let refusal: unknown;
      // One public address settles that the host is public, wherever it stands in the list.
      for (const one of [...found].sort((a, b) => Number(inside(a)) - Number(inside(b))))
        try {
          this.check(hostname, one.address);
          passed.push(one);
        } catch (thrown) {
          refusal = thrown;
        }
      const [first] = passed;
      if (!first) return callback(refusal as NodeJS.ErrnoException, []);
      if (options.all) callback(null, passed);
      else callback(null, first.address, first.family);
    });
  };
}

function inside({ address }: LookupAddress): boolean {
  return scopeOf(behindNat64(address) ?? address) !== 'global';
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '').toLowerCase();
}
