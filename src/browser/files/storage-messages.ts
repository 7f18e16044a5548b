/** What the page and its storage worker say to each other. Every request is answered once, in the order of asking. */

export type StorageRequest =
  /** Is there storage of the kind that is needed at all? */
  | { type: 'probe' }
  /** Locks the transfer's files, made if they are missing. */
  | { type: 'open'; key: string }
  /** See `SpaceFile.begin`. */
  | { type: 'begin'; trusted: number; records: Uint8Array; size: number }
  /** The buffer comes back with the answer. */
  | { type: 'write'; at: number; length: number; buffer: ArrayBuffer; record: Uint8Array }
  | { type: 'zeros'; at: number; length: number; record: Uint8Array }
  | { type: 'append'; records: Uint8Array }
  | { type: 'flush' }
  /** Can so many bytes be written beside it? */
  | { type: 'try'; bytes: number }
  /** Lets go of the files. What is not flushed is forgotten. */
  | { type: 'close' };

/** What each is answered with. */
export interface StorageAnswers {
  probe: undefined;
  /** The journal as found, and how many bytes of data there are. */
  open: { journal: Uint8Array<ArrayBuffer>; size: number };
  begin: undefined;
  write: ArrayBuffer;
  zeros: undefined;
  append: undefined;
  flush: undefined;
  try: undefined;
  close: undefined;
}

export type StorageReply =
  | { id: number; ok: true; value: StorageAnswers[keyof StorageAnswers] }
  /** `name`: of the DOMException. */
  | { id: number; ok: false; name: string; message: string };
