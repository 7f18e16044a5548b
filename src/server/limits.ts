/** Every bound of the rendezvous server, with its default. Sizes are bytes, times milliseconds. */
import { MAX_MAILBOX_BYTES, MAX_SIGNAL } from '../protocol/limits.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;

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
  /** Joins an hour from one address, wrong nameplates included: it bounds guessing at nameplates. */
  joinsPerHour: number;
  connections: number;
  connectionsPerAddress: number;
  /** A connection that neither hosts nor joins within this is closed. */
  helloDeadline: number;
  /** A WebSocket that answers no ping for this long is dead. */
  pongDeadline: number;
  /** Bytes queued to one slow connection before it is cut off. */
  backlogBytes: number;
}

export const DEFAULT_LIMITS: Readonly<Limits> = {
  messageBytes: MAX_SIGNAL,
  mailboxBytes: MAX_MAILBOX_BYTES,
  mailboxAge: 24 * HOUR,
  hostGrace: 60 * SECOND,
  mailboxes: 10_000,
  mailboxesPerAddress: 64,
  joinsPerHour: 240,
  connections: 4_000,
  connectionsPerAddress: 128,
  helloDeadline: 15 * SECOND,
  pongDeadline: 30 * SECOND,
  backlogBytes: 256 * 1024,
};

/** Charged for every message, so that a flood of empty ones ends too. */
export const MESSAGE_COST = 64;
/** Addresses whose joins are remembered; the oldest is forgotten first. */
export const REMEMBERED_ADDRESSES = 50_000;
/** HTTP requests have no body here and small headers. */
export const MAX_HEADER_BYTES = 8 * 1024;
export const HTTP_DEADLINE = 10 * SECOND;
