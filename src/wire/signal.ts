/**
 * What two peers say to each other through a rendezvous. Three messages prove the shared secret (SPAKE2, RFC 9382);
 * from the second on, everything that matters is sealed under the key they agree on. The server relays all of it
 * and learns none: it may drop, repeat or alter messages, and each of these ends in a clear error.
 */

import * as v from 'valibot';
import { isAddress } from '../base/addresses.ts';
import { fromHex, toHex } from '../base/bytes.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { count, hex, list, readJson, record, text, version } from '../base/json.ts';
import { MAX_HOSTS, MAX_STATUS_SEQ, MAX_TRANSPORTS } from '../base/limits.ts';
import { HASH_NAMES } from '../offer/hashing.ts';
import { STATUS_STATES } from './messages.ts';

export type Signal = v.InferOutput<ReturnType<typeof signals>>;

const REFUSALS = ['WRONG_CODE', 'TRY_AGAIN', 'VERSION', 'ENDED', 'FULL', 'CLOSED', 'BURNT'] as const;
export type Refusal = (typeof REFUSALS)[number];

/** The name of a transport. */
const KIND = /^[a-z][a-z0-9-]{0,15}$/;

export function encodeSignal(signal: Signal): string {
  const plain: Record<string, unknown> = { ...signal };
  for (const [key, value] of Object.entries(plain))
    if (value instanceof Uint8Array) plain[key] = toHex(value);
  return JSON.stringify(plain);
}

/** @throws BeelineError PROTOCOL; VERSION if a share comes from another protocol version (`ours`). */
export function decodeSignal(body: string, ours: number): Signal {
  return readJson(signals(ours), body, malformed);
}

function signals(ours: number) {
  const v1 = version(ours, (theirs) => fault('VERSION_OTHER', { what: 'transfer', ours, theirs }));
  const share = bytes(65);
  const confirmation = bytes(32);
  const sealed = v.string();
  return v.variant('k', [
    /** Sender, whenever a receiver appears: its SPAKE2 share, fresh each time. `back`: to a `back`, and for its secret. */
    v.object({ k: v.literal('share'), v: v1, share, back: v.optional(v.literal(true)) }),
    /** Receiver, of a burnt code: it was there before, under the place with this name. */
    v.object({ k: v.literal('back'), place: hex(16) }),
    /** Receiver: its share, proof that it has the secret, and its sealed hello. */
    v.object({ k: v.literal('answer'), v: v1, share, confirmation, sealed }),
    /** Sender, once the proof is right: its own proof, and its sealed hello. */
    v.object({ k: v.literal('accept'), confirmation, sealed }),
    /** Either, later: a sealed hello again, with where it can be reached now, or a word. */
    v.object({ k: v.literal('sealed'), sealed }),
    /**
     * Either: it ends here, with WRONG_CODE or VERSION. Sender only: ENDED, it ends before it has proved itself. TRY_AGAIN: the code was
     * wrong, and is not burned yet. FULL: as many receivers are there as are wanted. CLOSED: nobody new is let in. BURNT: too many have
     * guessed wrong, and only who was there before may come, with a `back`.
     */
    v.object({ k: v.literal('refuse'), code: v.fallback(v.picklist(REFUSALS), 'WRONG_CODE') }),
  ]);
}

const bytes = (length: number) =>
  v.pipe(
    hex(length),
    v.transform((text): Uint8Array => fromHex(text)),
  );

export function encodeHello(hello: Hello): string {
  return JSON.stringify(hello);
}

export function encodeWord({ seq, state, code }: Word): string {
  return JSON.stringify({ seq, state, code });
}

/** What a `sealed` says. @throws BeelineError PROTOCOL */
export function decodeSealed(plain: string): { hello: Hello } | { word: Word } {
  const said = readJson(SEALED, plain, malformed);
  return 'state' in said ? { word: said } : { hello: said };
}

/** @throws BeelineError PROTOCOL */
export function decodeHello(plain: string): Hello {
  return readJson(HELLO, plain, malformed);
}

/**
 * What must be heard even if no lane carries it in time: the status register's present word, or that the receiver is done and
 * has told the sender so.
 */
const WORD = v.object({
  seq: count(MAX_STATUS_SEQ),
  state: v.picklist([...STATUS_STATES, 'completed']),
  /** An error code, or empty. */
  code: text(64),
});
export type Word = v.InferOutput<typeof WORD>;

/** The sealed part: who I am on lanes, and where. */
const HELLO = v.object({
  /** Hex SHA-256 of this session's certificate; of a side without TLS (a browser's page), 64 random hex digits. */
  fingerprint: hex(32),
  /** Its lanes can be TLS. A page has no TLS: its lanes are WebRTC, or sealed under a key from both sides' `seal`. */
  tls: v.boolean(),
  /** This process's half of the key of sealed lanes: 64 random hex digits. */
  seal: hex(32),
  /** What each of its transports says to the peer's, by kind: opaque here, each checks its own. */
  transports: record(KIND, MAX_TRANSPORTS),
  /** Addresses that it may come from: its own, and those that servers see. The peer's TURN server lets them in. */
  hosts: list(v.pipe(v.string(), v.check(isAddress)), MAX_HOSTS),
  /** Program and version, for people. */
  agent: v.pipe(
    v.string(),
    v.transform((agent) => agent.slice(0, 64)),
  ),
  /** Lanes asked for on the command line; 0: no wish. */
  lanes: count(64),
  /**
   * Of a receiver that may be started again: 32 hex digits that are the same then. They tell nothing else, and differ for another
   * secret.
   */
  place: v.optional(hex(16)),
  /** Of one who may be remembered: the public key under which. Another one for each session of a page. */
  device: v.optional(hex(32)),
  /** Of a sender's receiver: with what it hashes chunks fast, the fastest first. */
  hashes: v.optional(v.pipe(list(v.picklist(HASH_NAMES), HASH_NAMES.length), v.nonEmpty())),
});
export type Hello = v.InferOutput<typeof HELLO>;

/** A state makes it a word. */
const SEALED = v.lazy((said) => (Object.hasOwn(Object(said), 'state') ? WORD : HELLO));

function malformed(_fault: string, cause?: unknown): BeelineError {
  return fault('PEER_MALFORMED', { what: 'something that is not a Beeline handshake' }, { cause });
}
