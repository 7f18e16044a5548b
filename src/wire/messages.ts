/**
 * The messages that lanes carry, and their numbers on the wire. A frame is `u32 length, u8 type, body`; everything is
 * idempotent, so that any live lane may carry any message and a lost one is simply sent again.
 */
import type { OfferHeader } from '../offer/manifest.ts';
import type { ChunkHash } from '../offer/merkle.ts';

/** Who asked for the present state of a session; the higher `seq` wins, and each side counts its own. */
export interface Status {
  seq: number;
  state: 'running' | 'paused' | 'cancelled' | 'failed';
  code: string;
  text: string;
}

/** What comes before the bytes of one or more blocks of a chunk, one after the other. */
export interface BlocksHeader {
  index: number;
  /** Bytes of the whole chunk. */
  length: number;
  /** 'zeros': the whole chunk is zeros, and no bytes follow. */
  form: 'data' | 'zeros';
  /** Of the whole chunk. */
  sha256: Uint8Array;
  /** Where in the chunk these bytes belong: a multiple of BLOCK_BYTES. Of zeros: where the range that they answer begins. */
  offset: number;
  /** Bytes that follow: whole blocks, but for the chunk's last. */
  bytes: number;
}

/** Blocks of one chunk: `from` up to, not including, `to`. */
export interface BlockRange {
  index: number;
  from: number;
  to: number;
}

/** Unless it says otherwise, what a receiver says is for the origin, and what the origin says for a receiver. */
export type Message =
  | ({ type: 'offer' } & OfferHeader)
  | { type: 'get-page'; page: number }
  | { type: 'page'; page: number; bytes: Uint8Array }
  /** Receiver to any peer: send these blocks. */
  | { type: 'get'; ranges: BlockRange[] }
  /** Receiver: say what the hashes of these chunks are. Something lies in their places already, or others have them. */
  | { type: 'get-hash'; chunks: number[] }
  /** Origin: the hash of a chunk. */
  | ({ type: 'hash'; length: number } & ChunkHash)
  /** Receiver: these are here from an earlier run and will not be asked for. */
  | { type: 'have'; chunks: ChunkHash[] }
  | ({ type: 'blocks'; data: Uint8Array } & BlocksHeader)
  /**
   * Receiver: so many bytes are here, `kept` of them were here before and only compared, and these chunks
   * are down since it was said last.
   */
  | { type: 'arrived'; bytes: number; kept: number; chunks: number[] }
  /** Receiver, for streams: every chunk below this one is written. */
  | { type: 'written'; below: number }
  | ({ type: 'status' } & Status)
  | { type: 'ping'; nonce: number }
  | { type: 'pong'; nonce: number }
  /** Receiver: dial until there are this many lanes in all. */
  | { type: 'want-lanes'; count: number }
  /** Receiver: everything is written, this is my root. */
  | { type: 'finish'; root: Uint8Array; gone: number[] }
  /** Origin: my root, and when this began and ended by my clock (ms since 1970), for both receipts. */
  | { type: 'finished'; root: Uint8Array; started: number; ended: number }
  /** Receiver: your last word has come, do not wait for me. */
  | { type: 'confirmed' }
  /** Origin: this entry's file changed or went away and will not be delivered; its bytes come as zeros. */
  | { type: 'gone'; entry: number; code: string; text: string }
  /** Receiver to receiver: of the chunks from `first` on, these are down here: eight a byte, the lowest bit first. */
  | { type: 'holds'; first: number; bits: Uint8Array }
  /** Receiver to receiver: these blocks, which were asked for, are not here any more. */
  | ({ type: 'lacks' } & BlockRange);

export type MessageType = Message['type'];

/** Wire numbers; append only. */
export const TYPES: readonly MessageType[] = [
  'offer',
  'get-page',
  'page',
  'get',
  'blocks',
  'written',
  'status',
  'ping',
  'pong',
  'want-lanes',
  'finish',
  'finished',
  'gone',
  'get-hash',
  'have',
  'confirmed',
  'hash',
  'arrived',
  'holds',
  'lacks',
];
export const FORMS: readonly BlocksHeader['form'][] = ['data', 'zeros'];
export const OFFER_KINDS: readonly OfferHeader['kind'][] = ['files', 'text', 'stream'];
export const STATUS_STATES: readonly Status['state'][] = ['running', 'paused', 'cancelled', 'failed'];

export const HEADER_LENGTH = 5;
/** index (8) length (4) offset (4) form (1) sha256 (32): fixed, so that the data always starts at the same place. */
export const BLOCKS_HEADER_LENGTH = 49;
