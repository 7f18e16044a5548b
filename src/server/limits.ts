/** Every bound of a server's rendezvous and relay, with its default. Sizes are bytes, times milliseconds. */
import { MAX_MAILBOX_BYTES, MAX_SIGNAL } from '../base/limits.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const GiB = 2 ** 30;

export const DEFAULT_LIMITS = {
  /** One message's body; never above MAX_SIGNAL, which the decoders enforce. */
  messageBytes: MAX_SIGNAL,
  /**
   * What one guest and its host say to each other; and, for each time that a guest sits down, what the host says to nobody.
   * Every message counts MESSAGE_COST more than its body.
   */
  mailboxBytes: MAX_MAILBOX_BYTES,
  /** Guests of one host at a time, at most, whatever it asks for; never above MAX_GUESTS. */
  guests: 64,
  mailboxAge: 24 * HOUR,
  /** How long a nameplate waits for its host after the host's connection was lost, and a guest's number for its guest. */
  hostGrace: 60 * SECOND,
  mailboxes: 10_000,
  mailboxesPerAddress: 64,
  /** New mailboxes an hour of one address. A TURN server counts each as a user of its own, and its quotas are for users. */
  mailboxesPerHour: 600,
  /** Joins an hour from one address, wrong nameplates included: it bounds guessing at nameplates. */
  joinsPerHour: 240,
  connections: 4_000,
  connectionsPerAddress: 128,
  /**
   * Connections that only watch nameplates; they count among `connections`, and must not take all of them. Pages have at most half of
   * this, of what may be watched, and of the connections of an address.
   */
  watchers: 2_000,
  /** Nameplates that are watched, in all and from one address. */
  watched: 100_000,
  watchedPerAddress: 4_000,
  /** Watches an hour from one address: a watcher begins anew after each lost connection, and when its list is another. */
  watchesPerHour: 600,
  /** Pages that show themselves to those at the same address, in all; they count among `connections`. */
  near: 2_000,
  /** Of one address; never above MAX_NEAR. */
  nearPerAddress: 16,
  /** How often an hour pages of one address begin to show themselves: anew after each lost connection. */
  nearPerHour: 600,
  /** Connections that have not become WebSockets, nor asked STUN anything; of one address `connectionsPerAddress`. */
  strangers: 2_000,
  /** A connection that neither hosts nor joins within this is closed. */
  helloDeadline: 15 * SECOND,
  /** A WebSocket that answers no ping for this long is dead. */
  pongDeadline: 30 * SECOND,
  /** Bytes queued to one slow connection before it is cut off. */
  backlogBytes: 256 * 1024,
  /** WebSockets at the relay that have shown no token yet. */
  relayStrangers: 1_000,
  /** WebSockets at the relay, waiting or carrying. */
  relayConnections: 4_000,
  /** With a token, and as many without. A host has one waiting for each guest. */
  relayConnectionsPerAddress: 128,
  /** A guest's connections that wait for the host's; the host's that wait for this guest are as many. */
  relayWaiting: 8,
  /** Pairs that carry at the same time. */
  relayPairs: 1_000,
  /** A guest's with its host: no guest takes what the others of a meeting need. */
  relayPairsPerGuest: 16,
  relayPairsPerAddress: 64,
  /** What the relay carries for one mailbox, both directions together. */
  relayMailboxBytes: 256 * GiB,
  /** What it carries in 24 h for one address; a byte counts at both ends. */
  relayAddressBytes: 1024 * GiB,
  /** A pair on which nothing moves for this long ends; lanes ping far more often. */
  relayIdle: 60 * SECOND,
  /** Bytes a second for all pairs together; 0: as fast as it goes. */
  relayRate: 0,
  /** Bytes queued to a slow reader, MESSAGE_MEMORY more for each message, before its sender is read no further. */
  relayBuffer: 256 * 1024,
} as const;

export type Limits = { [name in keyof typeof DEFAULT_LIMITS]: number };

/** Charged for every message at a mailbox, and the least for one at the relay, so that a flood of empty ones ends too. */
export const MESSAGE_COST = 64;
/** What a queued message takes beside its bytes. */
export const MESSAGE_MEMORY = 512;
/** Addresses whose joins are remembered; the oldest is forgotten first. */
export const REMEMBERED_ADDRESSES = 50_000;
/** HTTP requests have no body here and small headers. */
export const MAX_HEADER_BYTES = 8 * 1024;
export const HTTP_DEADLINE = 10 * SECOND;
