import type { BeelineError } from '../base/errors.ts';
import type { SharedSecret } from '../identity/secret.ts';
import type { MailboxOptions } from '../meeting/ports.ts';
import type { HashName } from '../offer/hashing.ts';
import type { Entry, OfferHeader } from '../offer/manifest.ts';
import type { Recipient } from '../offer/receipt.ts';
import type { ByteSpace } from '../offer/space.ts';
import type { Means } from '../sync/engine-ports.ts';
import type { Path } from '../transports/path.ts';
import type { KnownKind, Role } from '../transports/transport.ts';
import type { Hello } from '../wire/signal.ts';
import type { Logger } from './api.ts';
import type { Cleanup } from './cleanup.ts';
import type { Pake } from './handshake.ts';
import type { IncomingPipes, PipeTaker } from './incoming.ts';

export interface Platform extends Omit<Means, 'limit'> {
  /** Chance, from 0 up to 1, for what no safety depends on. */
  random: () => number;
  /** In place of SPAKE2, in a simulation. */
  pake?: Pake;
  /** Program and version, for people. */
  agent: string;
}

/** A secret that this side and the other share. */
export interface Known {
  secret: SharedSecret;
  /** Set for a trusted device. */
  device?: { name: string; key: string };
  /** This device's own key, then. */
  own?: string;
}

/** Every way to the peer, and from it to this side. */
export interface NetworkPort {
  /** The transports of this side, best first. */
  readonly kinds: readonly KnownKind[];
  /** What a hello says of this side, as of now. */
  hello(): Omit<Hello, 'agent' | 'lanes'>;
  /** The peer said who and where it is. @throws BeelineError PROTOCOL */
  peer(hello: Hello): void;
  /** What came cheaply did not suffice: opens the ways that cost more. Absent: all have been opened from the beginning. */
  widen?(): void;
  close(): void | Promise<void>;
}

/** Whom a network is for: a session, or a link to another receiver. */
export interface NetworkUser extends PipeTaker {
  /** The peer's number at the mailbox, as of now; undefined while nobody there is proven to be the peer. */
  readonly guest?: number | undefined;
  readonly role: Role;
  /** Lanes to the other side that are open. `roundTrip` is in milliseconds, Infinity before it is known. */
  readonly lanes?: Iterable<{ readonly relayed: boolean; readonly roundTrip: number }>;
  readonly log: Logger | undefined;
  /** What comes in at this process's ports. */
  readonly pipes: IncomingPipes;
  /** Run when the network is of no use any more. */
  readonly cleanup: Cleanup;
  /** The ways to the other side, as of now. */
  paths(paths: readonly Path[]): void;
  /** This side can be reached in another way: the other side is to be told. */
  moved(): void;
  /** The addresses of this machine are these now. */
  networkChanged(hosts: ReadonlySet<string>): void;
  /** Something that is missing here makes a way impossible: a sentence for people. */
  warn(error: BeelineError): void;
}

/** What a meeting tells of. src/meeting/ports.ts describes each. */
export type MeetingEvents = Pick<MailboxOptions, 'onMessage' | 'onPeer' | 'onServer' | 'onLost'>;

/** What the sides of a finished transfer agree on, to make a record of. */
export interface AgreedFacts {
  kind: OfferHeader['kind'];
  entries: readonly Entry[];
  space: ByteSpace;
  root: Uint8Array;
  /** What the hashes are made with. */
  by: HashName;
  /** Hash of each chunk; undefined for one that nobody has. */
  hash: (chunk: number) => Uint8Array | undefined;
  /** A fingerprint. */
  sender: string;
  receivers: readonly Recipient[];
}

/** Makes a record of a finished transfer, if one is wanted: where it is. Never rejects. */
export type Keep = (facts: AgreedFacts) => Promise<string | undefined>;
