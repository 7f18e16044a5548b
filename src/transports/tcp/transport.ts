/** TCP to where the peer listens, and from there to here. */

import { fault } from '../../base/errors.ts';
import { MAX_LANES } from '../../base/limits.ts';
import { usable } from '../../nat/ice/address.ts';
import type { TlsEnds } from '../../secure/tls.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import type { Path } from '../path.ts';
import type { NodeTransport, Surroundings } from '../surroundings.ts';
import { ADDRESSES, type PeerFacts, type Transport, understood, written } from '../transport.ts';
import { dial } from './dial.ts';

export const tcp: NodeTransport = {
  kind: 'tcp',
  traits: {
    relayed: false,
    sort: 'stream',
    senderDials: true,
    ownAddress: ['sender', 'receiver'],
    hides: false,
  },
  make: (around) => new Tcp(around),
};

class Tcp implements Transport {
  readonly #around: Surroundings;
  #forwarded: Address | undefined;
  #theirs: readonly Address[] = [];

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** Where it listens: local addresses, and the one that the router maps to it. */
  describe(): string[] | undefined {
    const port = this.#around.tcpPort();
    if (port === 0) return undefined;
    const own = this.#around.hosts().map((host) => ({ host, port }));
    return written([...own, ...(this.#forwarded ? [this.#forwarded] : [])]);
  }

  hear(theirs: unknown, { met }: PeerFacts): void {
    this.#theirs = [...met, ...reachable(theirs)];
  }

  paths(): Path[] {
    return this.#theirs.map((to) => dialled(to, this.#around, { kind: 'tcp' }));
  }

  port() {
    const port = this.#around.tcpPort();
    return port > 0 ? ({ protocol: 'tcp', port } as const) : undefined;
  }

  forwarded(address: Address | undefined): void {
    this.#forwarded = address;
  }

  close(): void {}
}

/**
 * The addresses in the peer's description that can be dialled. Not names (they would ask a name server), nor multicast groups.
 * @throws BeelineError PROTOCOL
 */
export function reachable(theirs: unknown): Address[] {
  return understood(ADDRESSES, theirs).flatMap((each) => usable(each) ?? []);
}

/** An address of the peer's choosing, as a path. @param as what carries it */
export function dialled(to: Address, around: Surroundings, as: Pick<TlsEnds, 'kind' | 'relayed'>): Path {
  return {
    kind: as.kind,
    name: formatAddress(to),
    most: MAX_LANES,
    open: async (signal) => {
      if (!around.mayDial()) throw fault('ADDRESSES_PACED');
      return dial(to, around.context, around.pin(), signal, as);
    },
  };
}
