/** When an operation on the disk is to fail, and how. Operations are counted from 1, those that change the disk. */
import { constants } from 'node:os';

export type Kind =
  | 'write'
  | 'truncate'
  | 'create'
  | 'rename'
  | 'link'
  | 'unlink'
  | 'mkdir'
  | 'rmdir'
  | 'symlink'
  | 'attributes'
  | 'fsync'
  | 'fdatasync'
  | 'syncfs';

/** What a disk without room answers to; removing, and setting modes and times, always works there. */
const NEEDS_ROOM: readonly Kind[] = [
  ...(['write', 'create', 'rename', 'link', 'mkdir', 'symlink'] as const),
  ...(['fsync', 'fdatasync', 'syncfs'] as const),
];
const CHANGES: readonly Kind[] = [
  ...(['write', 'truncate', 'create', 'rename', 'link', 'unlink'] as const),
  ...(['mkdir', 'rmdir', 'symlink', 'attributes'] as const),
];
const CODES = {
  EIO: { text: 'i/o error', kinds: [...CHANGES, 'fsync', 'fdatasync', 'syncfs'] },
  ENOSPC: { text: 'no space left on device', kinds: NEEDS_ROOM },
  EDQUOT: { text: 'disk quota exceeded', kinds: NEEDS_ROOM },
  EROFS: { text: 'read-only file system', kinds: CHANGES },
} as const satisfies { [code: string]: { text: string; kinds: readonly Kind[] } };

export interface Fault {
  code: keyof typeof CODES;
  /** The first operation to fail, counted among those of `kinds`, from 1. */
  from: number;
  /** The last one; default `from`. Infinity: the disk stays that way. */
  to?: number;
  /** Default: all that may answer so. */
  kinds?: readonly Kind[];
}

export interface PlanOptions {
  /** This operation, counted from 1, and all after it find the process dead. */
  crashAt?: number;
  faults?: readonly Fault[];
  /** Probability that a write takes only a random part, at least one byte, and says so. */
  shortWrites?: number;
}

/** What a dead process gets from any call. Nothing catches it in life; in a test it ends the code under test. */
export class Crash extends Error {
  readonly code = 'ECRASH';
  constructor() {
    super('the process is dead');
    this.name = 'Crash';
  }
}

export class Plan {
  crashed = false;
  /** Its run is over: what it left behind, timers say, must not reach the disk. */
  ended = false;
  /** What it did, for messages: kind and path, in order. */
  readonly operations: { kind: Kind; path: string }[] = [];
  readonly #options: PlanOptions;
  readonly #random: () => number;
  readonly #counts: number[];

  constructor(options: PlanOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
    this.#counts = (options.faults ?? []).map(() => 0);
  }

  /** Before any call at all. */
  checkAlive(): void {
    if (this.crashed || this.ended) throw new Crash();
  }

  /** Before an operation that changes the disk. Throws Crash, or an error like Node's. */
  enter(kind: Kind, path: string): void {
    this.checkAlive();
    this.operations.push({ kind, path });
    if (this.#options.crashAt !== undefined && this.operations.length >= this.#options.crashAt) {
      this.crashed = true;
      throw new Crash();
    }
    for (const [i, { code, from, to = from, kinds = CODES[code].kinds }] of (
      this.#options.faults ?? []
    ).entries()) {
      if (!(kinds as readonly Kind[]).includes(kind)) continue;
      const count = ++this.#counts[i]!;
      if (count >= from && count <= to) throw systemError(code, kind, path);
    }
  }

  /** How many of so many bytes a write takes. */
  take(length: number): number {
    if (length < 2 || this.#random() >= (this.#options.shortWrites ?? 0)) return length;
    return 1 + Math.floor(this.#random() * (length - 1));
  }
}

export function systemError(code: keyof typeof CODES, syscall: string, path: string): Error {
  const error = new Error(`${code}: ${CODES[code].text}, ${syscall} '${path}' (injected)`);
  return Object.assign(error, { code, errno: -constants.errno[code], syscall, path });
}
