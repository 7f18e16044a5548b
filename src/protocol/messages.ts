/**
 * The messages that lanes carry, and their numbers on the wire. A frame is `u32 length, u8 type, body`; everything is
 * idempotent, so that any live lane may carry any message and a lost one is simply sent again.
 */
import type { Offer } from './manifest.ts';

/** Who asked for the present state of a session; the higher `seq` wins, and each side counts its own. */
export interface Status {
  seq: number;
  state: 'running' | 'paused' | 'cancelled' | 'failed';
  code: string;
  text: string;
}

export interface ChunkHeader {
  index: number;
  /** Bytes of data; that many follow if `form` is 'data', none otherwise. */
  length: number;
  /** 'zeros': it is all zeros. 'same': it is what the receiver has already, by its own word in a `compare`. */
  form: 'data' | 'zeros' | 'same';
  sha256: Uint8Array;
}

/** A chunk by what is in it. */
export interface ChunkHash {
  index: number;
  sha256: Uint8Array;
}

export type Message =
  | ({ type: 'offer' } & Offer)
  | { type: 'get-page'; page: number }
  | { type: 'page'; page: number; bytes: Uint8Array }
  | { type: 'get'; chunks: number[] }
  /** Receiver to sender: get these, unless their hashes are the ones that are here already. */
  | { type: 'compare'; chunks: ChunkHash[] }
  /** Receiver to sender: these are here from an earlier run and will not be asked for. */
  | { type: 'have'; chunks: ChunkHash[] }
  | ({ type: 'chunk'; data: Uint8Array } & ChunkHeader)
  /** Receiver to sender, for streams: every chunk below this one is written. */
  | { type: 'written'; below: number }
  | ({ type: 'status' } & Status)
  | { type: 'ping'; nonce: number }
  | { type: 'pong'; nonce: number }
  /** Receiver to sender: dial until there are this many lanes in all. */
  | { type: 'want-lanes'; count: number }
  /** Receiver to sender: everything is written, this is my root. */
  | { type: 'finish'; root: Uint8Array; gone: number[] }
  /** Sender to receiver: my root, and when this began and ended by my clock (ms since 1970), for both receipts. */
  | { type: 'finished'; root: Uint8Array; started: number; ended: number }
  /** Receiver to sender: your last word has come, do not wait for me. */
  | { type: 'confirmed' }
  /** Sender to receiver: this entry's file changed or went away and will not be delivered; its bytes come as zeros. */
  | { type: 'gone'; entry: number; code: string; text: string };

export type MessageType = Message['type'];

/** Wire numbers; append only. */
export const TYPES: readonly MessageType[] = [
  'offer',
  'get-page',
  'page',
  'get',
  'chunk',
  'written',
  'status',
  'ping',
  'pong',
  'want-lanes',
  'finish',
  'finished',
  'gone',
  'compare',
  'have',
  'confirmed',
];
export const FORMS: readonly ChunkHeader['form'][] = ['data', 'zeros', 'same'];
export const OFFER_KINDS: readonly Offer['kind'][] = ['files', 'text', 'stream'];
export const STATUS_STATES: readonly Status['state'][] = ['running', 'paused', 'cancelled', 'failed'];

export const HEADER_LENGTH = 5;
/** index (8) length (4) flags (1) sha256 (32): fixed, so that a chunk's data always starts at the same place. */
export const CHUNK_HEADER_LENGTH = 45;
