/**
 * The seam to the network. A transport is one kind of way to open lanes: TCP, UDP, a relay. The supervisor, the tuner,
 * the session and the commands know transports by this port and by their traits, never by name. Adding one is a folder with
 * a `TransportKind`, a line in each list that should have it (`node.ts`, `browser/network.ts`), the contract suite and a row in
 * docs/nat.md. Pure.
 */
import * as v from 'valibot';
import { fault } from '../base/errors.ts';
import { list, readValue } from '../base/json.ts';
import { MAX_ADDRESSES } from '../base/limits.ts';
import { type Address, decodeAddress, formatAddress } from '../wire/candidate.ts';
import type { Services } from '../wire/rendezvous.ts';
import type { Hello } from '../wire/signal.ts';
import type { Path } from './path.ts';

export type Role = 'sender' | 'receiver';
/** Whether relays may be used, besides or instead of direct ways. */
export type RelayUse = 'auto' | 'never' | 'only';

/**
 * What the tuner counts lanes as: `stream` (TCP in any form), `datagram` (UDP that fills lossy and long paths), `channel` (a data
 * channel of WebRTC, the only direct way that a page has).
 */
export type Sort = 'stream' | 'datagram' | 'channel';

export interface Traits {
  /** Its bytes go through a relay, which costs the relay's owner money. So it is used only while no direct lane carries. */
  readonly relayed: boolean;
  /**
   * What the tuner counts its lanes as. If two transports of one sort work, only the one that is listed first is used. Absent: for a
   * relay, which is not tuned; a direct transport must have one, or it gets no lanes.
   */
  readonly sort?: Sort;
  /** The sender can dial too: streams, and others while no transport listed before has a direct lane. A receiver that cannot dial asks the sender for more lanes. */
  readonly senderDials?: boolean;
  /** The roles whose lanes are bound to an address of this machine. If the address goes, these lanes are lost. */
  readonly ownAddress: readonly Role[];
  /** It shows the peer no address of this side, so it may be used with `--relay only`. */
  readonly hides: boolean;
}

/** A kind of transport: its name in events and hellos, its traits, and `make`, which makes the transport of one session. */
export interface TransportKind<Surroundings = never> {
  readonly kind: string;
  readonly traits: Traits;
  make(around: Surroundings): Transport;
}

/** What other code may know about a transport. */
export type KnownKind = Pick<TransportKind, 'kind' | 'traits'>;

/** What the peer's latest hello says, without the transports' own descriptions. */
export interface PeerFacts extends Pick<Hello, 'fingerprint' | 'tls' | 'seal' | 'hosts'> {
  /** The TCP addresses where this side met the peer, if the peer hosts the rendezvous. */
  readonly met: readonly Address[];
}

/** A server that both sides are at. */
export interface Meeting {
  readonly url: string;
  /** Proves this side's place; undefined while it has none. */
  readonly token: string | undefined;
  /**
   * The peer's number there, as of now: a receiver that comes back may have another. 0: the peer is the host. Undefined while nobody is
   * proven to be the peer.
   */
  readonly guest: number | undefined;
  readonly services: Services;
}

/** The transport of one kind in one session. A transport implements the optional methods that it needs. */
export interface Transport {
  /** The description for the same transport at the peer, as JSON. Other code does not read it. Undefined: nothing to say. */
  describe(): unknown;
  /**
   * Takes the description of the peer's transport, unchecked: this method checks it. Undefined: the peer has no such transport, or it
   * has nothing to say.
   * @throws BeelineError PROTOCOL
   */
  hear(theirs: unknown, peer: PeerFacts): void;
  /** The present paths to the peer, on which this side can open lanes. */
  paths(): readonly Path[];
  /** Releases everything, and resolves soon. It leaves lanes alone: the supervisor closes them. */
  close(): Promise<void> | void;
  /** Called when this side begins to be reachable. */
  start?(): void;
  /** Called with the server where the two sides meet from now on. */
  meet?(meeting: Meeting): Promise<void> | void;
  /** Called when the server gave this side its place again. Earlier tokens and services may be invalid. */
  welcome?(): void;
  /** Called with the STUN ports of the server, which say how this side's addresses look from outside. */
  ask?(servers: readonly Address[]): void;
  /** Called when the two sides have met over the DHT. @param nodes of it, as of now, which say how a UDP port looks from outside */
  observed?(nodes: () => readonly Address[]): void;
  /** The addresses of this side as servers see them, whether or not it can be reached there. */
  seen?(): readonly string[];
  /** The local port that a router should forward now. */
  port?(): { protocol: 'tcp' | 'udp'; port: number } | undefined;
  /** Called with the outside address from which the router forwards that port. Undefined: it no longer does. */
  forwarded?(address: Address | undefined): void;
  /** Called when this machine's network has changed. @param moved servers now see this side at another address */
  again?(moved: boolean): void;
}

/** A session's transports, best first. */
export class Transports {
  readonly kinds: readonly KnownKind[];
  readonly all: readonly Transport[];
  readonly #all: readonly { kind: string; transport: Transport }[];

  constructor(all: readonly { known: KnownKind; transport: Transport }[]) {
    this.kinds = all.map(({ known }) => known);
    this.all = all.map(({ transport }) => transport);
    this.#all = all.map(({ known: { kind }, transport }) => ({ kind, transport }));
  }

  describe(): Hello['transports'] {
    const said = this.#all.map(({ kind, transport }) => [kind, transport.describe()] as const);
    return Object.fromEntries(said.filter(([, words]) => words !== undefined));
  }

  /** @throws BeelineError PROTOCOL */
  hear(hello: Hello, met: readonly Address[]): void {
    const { transports, ...rest } = hello;
    for (const { kind, transport } of this.#all)
      transport.hear(Object.hasOwn(transports, kind) ? transports[kind] : undefined, { ...rest, met });
  }

  paths(): Path[] {
    return this.#all.flatMap(({ transport }) => transport.paths());
  }

  seen(): string[] {
    return this.all.flatMap((transport) => transport.seen?.() ?? []);
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((transport) => transport.close()));
  }
}

/** The transports that `relay` allows. 'only': those that show the peer no address. 'never': those that are not relayed. */
export function makeTransports<S extends { readonly relay: RelayUse }>(
  kinds: readonly TransportKind<S>[],
  around: S,
): Transports {
  const { relay } = around;
  const allowed = kinds.filter(({ traits }) =>
    relay === 'only' ? traits.hides : relay !== 'never' || !traits.relayed,
  );
  return new Transports(allowed.map((known) => ({ known, transport: known.make(around) })));
}

/**
 * @param seat a place at the server, whose token and services may be others after a reconnection
 * @param guest the peer's number there, as of now
 */
export function meetingAt(
  url: string,
  seat: Pick<Meeting, 'token' | 'services'>,
  guest: () => Meeting['guest'],
): Meeting {
  return {
    url,
    get token() {
      return seat.token;
    },
    get guest() {
      return guest();
    },
    get services() {
      return seat.services;
    },
  };
}

const WRITTEN = v.pipe(
  v.unknown(),
  v.transform(decodeAddress),
  v.custom<Address>((address) => address !== undefined),
);

/** What a description of the kind `HOST:PORT, ...` is. */
export const ADDRESSES = v.optional(list(WRITTEN, MAX_ADDRESSES), []);

/** The same, as it is said: no more of them than the other side takes. */
export function written(addresses: readonly Address[]): string[] {
  return addresses.slice(0, MAX_ADDRESSES).map(formatAddress);
}

/** @param theirs a transport's description @throws BeelineError PROTOCOL unless it is one of its kind's */
export function understood<S extends v.GenericSchema>(schema: S, theirs: unknown): v.InferOutput<S> {
  return readValue(schema, theirs, (what) => fault('PEER_MALFORMED', { what: `${what} about a transport` }));
}
