/** What uploads need from outside: somewhere to put what comes, piece by piece, of which nothing is seen until it is whole. */

/** What somebody wants to put here. */
export interface NewDeposit {
  /** 32 hex digits, by which it is found again. */
  readonly id: string;
  /** `/`-separated, relative, as the client wrote it: nobody has checked it. */
  readonly path: string;
  /** Bytes. Undefined: nobody knows. Such a one cannot be gone on with by another process. */
  readonly size: number | undefined;
  /** When it was changed last, in whole microseconds since 1970. Default: now. */
  readonly mtime?: number;
}

/** One file that is coming. */
export interface Deposit {
  readonly id: string;
  readonly path: string;
  readonly size: number | undefined;
  /** Bytes that are here. After an interruption there may be fewer than were. */
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly created: number;
  /**
   * Takes what comes until it ends. What came before a failure is kept. Bytes past the size are an error.
   * @throws BeelineError of the disk; whatever `from` throws
   */
  write(from: AsyncIterable<Uint8Array>): Promise<void>;
  /**
   * All of it is here: puts it in place, durably.
   * @returns the path below the destination under which it stands, which may be another one than was asked for
   * @throws BeelineError
   */
  finish(): Promise<string>;
  /** Nobody goes on with it at the moment, or ever. */
  close(end: 'keep' | 'discard'): Promise<void>;
}

/** Where they go. */
export interface Deposits {
  /** @throws BeelineError UNSAFE_NAME, EXISTS, DISK_FULL and their like */
  begin(deposit: NewDeposit): Promise<Deposit>;
  /** Goes on with one that was left by `close('keep')`, or by a process that died. Undefined: there is none. */
  find(id: string): Promise<Deposit | undefined>;
  /** Removes what nobody has gone on with for so long. @param age milliseconds. @returns how many */
  sweep(age: number): Promise<number>;
  /** Bytes below the destination, but for those of unfinished uploads. */
  used(): Promise<number>;
  /** All that is unfinished, of earlier processes too: by id, the bytes that it will have. */
  unfinished(): Promise<Map<string, number>>;
  /** Bytes that the disk has room for; undefined if it does not say. */
  free(): number | undefined;
}
