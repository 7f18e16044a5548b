/** What a session asks of the machine that it runs on, be that Node or a browser's page. */
import type { Clock } from '../base/clock.ts';
import type { SharedSecret } from '../identity/secret.ts';
import type { MailboxOptions } from '../meeting/ports.ts';
import type { Entry, OfferHeader } from '../offer/manifest.ts';
import type { ByteSpace } from '../offer/space.ts';
import type { Outcome } from '../sync/engine-ports.ts';
import type { Digest } from '../sync/ports.ts';
import type { KnownKind } from '../transports/transport.ts';
import type { Hello } from '../wire/signal.ts';
import type { Pake } from './handshake.ts';

export interface Platform {
  digest: Digest;
  allocate: (bytes: number) => Uint8Array;
  clock: Clock;
  /** Chance, from 0 up to 1, where nobody's safety hangs on it. */
  random: () => number;
  /** In place of SPAKE2, where nobody is to be kept out. */
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

/** Every way to the peer, and of it to this side. */
export interface NetworkPort {
  /** The transports of this side, best first. */
  readonly kinds: readonly KnownKind[];
  /** What a hello says of this side, as of now. */
  hello(): Omit<Hello, 'agent' | 'lanes'>;
  /** The peer said who and where it is. @throws BeelineError PROTOCOL */
  peer(hello: Hello): void;
  close(): void | Promise<void>;
}

/** What a meeting tells of; what each is, src/meeting/ports.ts says. */
export type MeetingEvents = Pick<MailboxOptions, 'onMessage' | 'onPeer' | 'onServer' | 'onLost'>;

/** What both sides of a finished transfer agree on, to make a record of. */
export interface AgreedFacts {
  kind: OfferHeader['kind'];
  entries: readonly Entry[];
  space: ByteSpace;
  outcome: Outcome;
  /** Fingerprints. */
  sender: string;
  receiver: string;
}

/** Makes a record of a finished transfer, if one is wanted: where it is. Never rejects. */
export type Keep = (facts: AgreedFacts) => Promise<string | undefined>;
