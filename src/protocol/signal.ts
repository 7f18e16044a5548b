/**
 * What two peers say to each other through a rendezvous. Three messages prove the shared secret (SPAKE2, RFC 9382);
 * from the second on, everything that matters is sealed under the key they agree on. The server relays all of it
 * and learns none: it may drop, repeat or alter messages, and each of these ends in a clear error.
 */

import { isAddress } from './addresses.ts';
import { fromHex, toHex } from './bytes.ts';
import { BeelineError } from './errors.ts';
import { MAX_HOSTS, MAX_STATUS_SEQ, MAX_TRANSPORTS } from './limits.ts';
import { STATUS_STATES, type Status } from './messages.ts';

export type Signal =
  /** Sender, whenever a receiver appears: its SPAKE2 share, fresh each time. */
  | { k: 'share'; v: number; share: Uint8Array }
  /** Receiver: its share, proof that it has the secret, and its sealed hello. */
  | { k: 'answer'; v: number; share: Uint8Array; confirmation: Uint8Array; sealed: string }
  /** Sender, once the proof is right: its own proof, and its sealed hello. */
  | { k: 'accept'; confirmation: Uint8Array; sealed: string }
  /** Either, later: a sealed hello again, with where it can be reached now, or a word. */
  | { k: 'sealed'; sealed: string }
  /** Either: it ends here. ENDED: a sender that has not proved itself yet is told, or tells by itself, to stop. */
  | { k: 'refuse'; code: 'WRONG_CODE' | 'VERSION' | 'ENDED' };

/** The sealed part: who I am on lanes, and where. */
export interface Hello {
  /** Hex SHA-256 of this session's certificate; of a side without TLS (a browser's page), 64 random hex digits. */
  fingerprint: string;
  /** Its lanes can be TLS. A page has none: what is not WebRTC is sealed under a key from both sides' `seal` then. */
  tls: boolean;
  /** This process's half of the key of sealed lanes: 64 random hex digits. */
  seal: string;
  /** What each of its transports says to the peer's, by kind: opaque here. At most 16. */
  transports: Readonly<Record<string, unknown>>;
  /** Addresses that it may come from, its own and as servers see it: whom a TURN server is to let in. At most 40. */
  hosts: string[];
  /** Program and version, for people. */
  agent: string;
  /** Lanes asked for on the command line; 0: no wish. */
  lanes: number;
}

/**
 * What must be heard though no lane carries it, or none in time: the status register's present word, or that the receiver is
 * done and has told the sender so.
 */
export interface Word {
  seq: number;
  state: Status['state'] | 'completed';
  /** An error code, or empty. */
  code: string;
}

/** The name of a transport. */
const KIND = /^[a-z][a-z0-9-]{0,15}$/;
const WORDS: readonly Word['state'][] = [...STATUS_STATES, 'completed'];

export function encodeSignal(signal: Signal): string {
  const plain: Record<string, unknown> = { ...signal };
  for (const [key, value] of Object.entries(plain))
    if (value instanceof Uint8Array) plain[key] = toHex(value);
  return JSON.stringify(plain);
}

/** @throws BeelineError PROTOCOL; VERSION if a share comes from another protocol version (`ours`). */
export function decodeSignal(body: string, ours: number): Signal {
  const fields = parse(body);
  const version = () => {
    const v = integer(fields, 'v', 1e6);
    if (v === ours) return v;
    const who = v > ours ? 'a newer' : 'an older';
    throw new BeelineError(
      'VERSION',
      `The other side speaks ${who} protocol (${v}, this is ${ours}): update the older one.`,
    );
  };
  switch (fields.k) {
    case 'share':
      return { k: 'share', v: version(), share: hex(fields, 'share', 65) };
    case 'answer':
      return {
        k: 'answer',
        v: version(),
        share: hex(fields, 'share', 65),
        confirmation: hex(fields, 'confirmation', 32),
        sealed: text(fields, 'sealed'),
      };
    case 'accept':
      return { k: 'accept', confirmation: hex(fields, 'confirmation', 32), sealed: text(fields, 'sealed') };
    case 'sealed':
      return { k: 'sealed', sealed: text(fields, 'sealed') };
    case 'refuse':
      return {
        k: 'refuse',
        code: fields.code === 'VERSION' || fields.code === 'ENDED' ? fields.code : 'WRONG_CODE',
      };
    default:
      throw malformed();
  }
}

export function encodeHello(hello: Hello): string {
  return JSON.stringify(hello);
}

export function encodeWord({ seq, state, code }: Word): string {
  return JSON.stringify({ seq, state, code });
}

/** What a `sealed` says. @throws BeelineError PROTOCOL */
export function decodeSealed(plain: string): { hello: Hello } | { word: Word } {
  const fields = parse(plain);
  if (!('state' in fields)) return { hello: decodeHello(plain) };
  const state = WORDS.find((known) => known === fields.state);
  const code = text(fields, 'code');
  if (!state || code.length > 64) throw malformed();
  return { word: { seq: integer(fields, 'seq', MAX_STATUS_SEQ), state, code } };
}

/** @throws BeelineError PROTOCOL */
export function decodeHello(plain: string): Hello {
  const fields = parse(plain);
  const fingerprint = text(fields, 'fingerprint');
  if (!/^[0-9a-f]{64}$/.test(fingerprint)) throw malformed();
  const seal = text(fields, 'seal');
  const { tls, transports, hosts } = fields;
  if (!/^[0-9a-f]{64}$/.test(seal) || typeof tls !== 'boolean') throw malformed();
  if (typeof transports !== 'object' || transports === null || Array.isArray(transports)) throw malformed();
  const kinds = Object.keys(transports);
  if (kinds.length > MAX_TRANSPORTS || !kinds.every((kind) => KIND.test(kind))) throw malformed();
  if (!Array.isArray(hosts) || hosts.length > MAX_HOSTS) throw malformed();
  if (!hosts.every((host): host is string => typeof host === 'string' && isAddress(host))) throw malformed();
  return {
    ...{ fingerprint, tls, seal, hosts },
    // Each transport checks its own.
    transports: transports as Record<string, unknown>,
    agent: text(fields, 'agent').slice(0, 64),
    lanes: integer(fields, 'lanes', 64),
  };
}

type Fields = Record<string, unknown>;

function parse(body: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw malformed();
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed();
  return value as Fields;
}

function text(fields: Fields, key: string): string {
  const value = fields[key];
  if (typeof value !== 'string') throw malformed();
  return value;
}

function integer(fields: Fields, key: string, max: number): number {
  const value = fields[key];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) throw malformed();
  return value;
}

function hex(fields: Fields, key: string, length: number): Uint8Array {
  const bytes = fromHex(text(fields, key));
  if (bytes.length !== length) throw malformed();
  return bytes;
}

function malformed(): BeelineError {
  return new BeelineError('PROTOCOL', 'The other side sent something that is not a Beeline handshake.');
}
