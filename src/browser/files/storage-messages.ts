/** What the page and its storage worker say to each other. Every request is answered once, in the order of asking. */
import type { KeptFileName } from './opfs.ts';

export type StorageRequest =
  /** Is there storage of the kind that is needed at all? */
  | { type: 'probe' }
  /** Locks the transfer's files, made if they are missing. */
  | { type: 'open'; key: string }
  /** As many bytes as there are from `at` on, at most `length`. */
  | { type: 'read'; file: KeptFileName; at: number; length: number }
  /** The buffer comes back with the answer. */
  | { type: 'write'; file: KeptFileName; at: number; length: number; buffer: ArrayBuffer }
  /** Zeros in the data, which is made longer for them if it has to be; a hole that is one stays one. */
  | { type: 'zeros'; at: number; length: number }
  | { type: 'truncate'; file: KeptFileName; length: number }
  /** What was written to it is down. */
  | { type: 'sync'; file: KeptFileName }
  /** Can so many bytes be written beside it? */
  | { type: 'try'; bytes: number }
  /** Lets go of the files. */
  | { type: 'close' };

/** What each is answered with. */
export interface StorageAnswers {
  probe: undefined;
  /** How many bytes of data there are. */
  open: number;
  read: ArrayBuffer;
  write: ArrayBuffer;
  zeros: undefined;
  truncate: undefined;
  sync: undefined;
  try: undefined;
  close: undefined;
}

export type StorageReply =
  | { id: number; ok: true; value: StorageAnswers[keyof StorageAnswers] }
  /** `name`: of the DOMException. */
  | { id: number; ok: false; name: string; message: string };
