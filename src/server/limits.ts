/** Every bound of a server's rendezvous and relay, with its default. Sizes are bytes, times milliseconds. */
import { MAX_MAILBOX_BYTES, MAX_SIGNAL } from '../base/limits.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const GiB = 2 ** 30;

export interface Limits {
  /** One message's body; never above MAX_SIGNAL, which the decoders enforce. */
  messageBytes: number;
  /** All traffic of one mailbox in both directions; every message counts MESSAGE_COST more than its body. */
  mailboxBytes: number;
  mailboxAge: number;
  /** How long a nameplate waits for its host after the host's connection was lost. */
  hostGrace: number;
  mailboxes: number;
  mailboxesPerAddress: number;
  /** New ones an hour of one address: each is a user of its own to a TURN server, whose quotas are for users. */
  mailboxesPerHour: number;
  /** Joins an hour from one address, wrong nameplates included: it bounds guessing at nameplates. */
  joinsPerHour: number;
  connections: number;
  connectionsPerAddress: number;
  /** Connections that have not become WebSockets, nor asked STUN anything; of one address `connectionsPerAddress`. */
  strangers: number;
  /** A connection that neither hosts nor joins within this is closed. */
  helloDeadline: number;
  /** A WebSocket that answers no ping for this long is dead. */
  pongDeadline: number;
  /** Bytes queued to one slow connection before it is cut off. */
  backlogBytes: number;
  /** WebSockets at the relay that have shown no token yet. */
  relayStrangers: number;
  /** WebSockets at the relay, waiting or carrying. */
  relayConnections: number;
  /** With a token, and as many without. */
  relayConnectionsPerAddress: number;
  /** One side's connections that wait for the other's; the other side's are as many. */
  relayWaiting: number;
  /** Pairs that carry at the same time. */
  relayPairs: number;
  relayPairsPerMailbox: number;
  relayPairsPerAddress: number;
  /** What the relay carries for one mailbox, both directions together. */
  relayMailboxBytes: number;
  /** What it carries in 24 h for one address; a byte counts at both ends. */
  relayAddressBytes: number;
  /** A pair on which nothing moves for this long ends; lanes ping far more often. */
  relayIdle: number;
  /** Bytes a second for all pairs together; 0: as fast as it goes. */
  relayRate: number;
  /** Bytes queued to a slow reader, MESSAGE_MEMORY more for each message, before its sender is read no further. */
  relayBuffer: number;
}

export const DEFAULT_LIMITS: Readonly<Limits> = {
  messageBytes: MAX_SIGNAL,
  mailboxBytes: MAX_MAILBOX_BYTES,
  mailboxAge: 24 * HOUR,
  hostGrace: 60 * SECOND,
  mailboxes: 10_000,
  mailboxesPerAddress: 64,
  mailboxesPerHour: 600,
  joinsPerHour: 240,
  connections: 4_000,
  connectionsPerAddress: 128,
  strangers: 2_000,
  helloDeadline: 15 * SECOND,
  pongDeadline: 30 * SECOND,
  backlogBytes: 256 * 1024,
  relayStrangers: 1_000,
  relayConnections: 4_000,
  relayConnectionsPerAddress: 64,
  relayWaiting: 8,
  relayPairs: 1_000,
  relayPairsPerMailbox: 16,
  relayPairsPerAddress: 32,
  relayMailboxBytes: 256 * GiB,
  relayAddressBytes: 1024 * GiB,
  relayIdle: 60 * SECOND,
  relayRate: 0,
  relayBuffer: 256 * 1024,
};

/** Charged for every message at a mailbox, and the least for one at the relay, so that a flood of empty ones ends too. */
export const MESSAGE_COST = 64;
/** What a queued message takes beside its bytes. */
export const MESSAGE_MEMORY = 512;
/** Addresses whose joins are remembered; the oldest is forgotten first. */
export const REMEMBERED_ADDRESSES = 50_000;
/** HTTP requests have no body here and small headers. */
export const MAX_HEADER_BYTES = 8 * 1024;
export const HTTP_DEADLINE = 10 * SECOND;
