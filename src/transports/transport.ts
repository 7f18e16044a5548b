/**
 * The seam to the network. A transport is one kind of way to open lanes: TCP, UDP, a relay. The supervisor, the measuring,
 * the session and the faces know transports by this port and by their traits, never by name. Adding one is a folder with
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
  /** Its bytes go through somebody's relay, which costs its owner money: used only while nothing direct carries. */
  readonly relayed: boolean;
  /**
   * What the tuner counts its lanes as. Of two transports of one sort, the one that is listed first makes the other
   * needless. Absent: it is not tuned.
   */
  readonly sort?: Sort;
  /** The sender can dial, too: a receiver that cannot asks it for more lanes. */
  readonly senderDials?: boolean;
  /** Who stands on an address of the own machine, and so loses its lanes with that address. */
  readonly ownAddress: readonly Role[];
  /** With `--relay only` it shows the peer no address of this side. */
  readonly hides: boolean;
}

/** A transport as such: its name for people, events and hellos, its traits, and how one session's is made. */
export interface TransportKind<Surroundings = never> {
  readonly kind: string;
  readonly traits: Traits;
  make(around: Surroundings): Transport;
}

/** What everybody needs to know of a transport that it has no part in. */
export type KnownKind = Pick<TransportKind, 'kind' | 'traits'>;

/** What the peer's latest hello says besides what is the transports' own. */
export interface PeerFacts extends Pick<Hello, 'fingerprint' | 'tls' | 'seal' | 'hosts'> {
  /** Where it was met, over TCP: its own port, if it hosts. */
  readonly met: readonly Address[];
}

/** A server that both sides are at. */
export interface Meeting {
  readonly url: string;
  /** Proves this side's place; undefined while it has none. */
  readonly token: string | undefined;
  readonly services: Services;
}

/** One session's transport of a kind. What is optional is told to those that care. */
export interface Transport {
  /** What the peer's is to hear, as JSON: opaque to everybody else. Undefined: nothing. */
  describe(): unknown;
  /**
   * What the peer's said, as it came: to be checked here. Undefined: it has none, or nothing to say.
   * @throws BeelineError PROTOCOL
   */
  hear(theirs: unknown, peer: PeerFacts): void;
  /** The ways to the peer as of now, on which this side opens lanes. */
  paths(): readonly Path[];
  /** Resolves when nothing of it is left, soon. Lanes belong to their owner. */
  close(): Promise<void> | void;
  /** This side begins to be reachable. */
  start?(): void;
  /** The two meet at this server from now on. */
  meet?(meeting: Meeting): Promise<void> | void;
  /** The server gave this side its place anew: what it gave before may be worth nothing. */
  welcome?(): void;
  /** Ports that tell how the world sees this side (STUN), of the server. */
  ask?(servers: readonly Address[]): void;
  /** How servers see this side, whether or not it can be reached there. */
  seen?(): readonly string[];
  /** A local port that a router should forward, as of now. */
  port?(): { protocol: 'tcp' | 'udp'; port: number } | undefined;
  /** The router forwards that port from there; undefined: no longer. */
  forwarded?(address: Address | undefined): void;
  /** This machine's network has changed. @param moved the world is no longer reached from where it was */
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

/** Those that the use of relays leaves: with 'only', which show the peer no address; with 'never', which are no relays. */
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

/** @param seat a place at the server, whose token and services may be others after a reconnection */
export function meetingAt(url: string, seat: Pick<Meeting, 'token' | 'services'>): Meeting {
  return {
    url,
    get token() {
      return seat.token;
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
