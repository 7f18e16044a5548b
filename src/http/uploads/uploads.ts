/**
 * All uploads of an inbox: what may come, how much of it, how many at a time. Whatever way one comes (tus, PUT, a form), it
 * is one deposit here. Non-goals: HTTP, the disk.
 */
import type { TokenBucket } from '../../base/bucket.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { forgetOldest } from '../../base/oldest.ts';
import type { Deposit, Deposits, NewDeposit } from './deposits.ts';
import { refusalOf, UploadRefusal } from './refusal.ts';

export interface UploadsOptions {
  deposits: Deposits;
  clock: Clock;
  /** The most bytes of one file. */
  maxSize?: number;
  /** The most bytes that the folder may hold when an upload begins, its own included. */
  quota?: number;
  /** Bytes a second, of all together. */
  limit?: TokenBucket;
  on: UploadEvents;
}

export interface UploadEvents {
  /** It stands under its final name. @param from who sent it, for people */
  arrived: (upload: { name: string; bytes: number; from: string }) => void;
  /** What was thrown goes to the log; the client was told `refusal`. */
  failed: (upload: { path: string; from: string; refusal: UploadRefusal; cause: unknown }) => void;
}

/** Uploads whose files are open. More wait for their turn. */
const MAX_OPEN = 64;
/** Ids of finished uploads that are remembered, for a client that did not hear the last answer. */
const MAX_FINISHED = 10_000;
/** Milliseconds after which one that nobody goes on with is let go of, to be found again. */
const IDLE = 2 * 60_000;
/** Milliseconds after which an unfinished one is removed: a week. */
export const UNFINISHED_KEPT = 7 * 86_400_000;
/** Unfinished uploads: each has files of its own on the disk, however little was sent of it. */
const MAX_UNFINISHED = 10_000;
const SWEEP_EVERY = 3_600_000;
/** Milliseconds for which a count of the folder is good enough to refuse by. */
const COUNT_AGE = 10_000;

interface Open {
  deposit: Deposit;
  from: string;
  /** What becomes of it if it fails at this side. */
  failing: 'keep' | 'discard';
  busy: boolean;
  touched: number;
}

export interface UploadStanding {
  size: number | undefined;
  offset: number;
  created: number;
  path: string;
}

export class Uploads {
  readonly #options: UploadsOptions;
  readonly #open = new Map<string, Open>();
  readonly #finished = new Map<string, UploadStanding>();
  /** Uploads that are being opened, by id, so that none is opened twice. */
  readonly #opening = new Map<string, Promise<Open | undefined>>();
  /** Ids that are about to be open: they have their places already. */
  readonly #starting = new Set<string>();
  /** What is unfinished, open or not: the bytes that each will have, and the sum of them. */
  #unfinished = new Map<string, number>();
  #promised = 0;
  /** Bytes in the folder but for those. */
  #placed = 0;
  #counted = Number.NEGATIVE_INFINITY;
  #counting: Promise<void> | undefined;
  #stopSweeping = (): void => {};
  #over = false;

  constructor(options: UploadsOptions) {
    this.#options = options;
    this.#sweep();
  }

  get maxSize(): number | undefined {
    return this.#options.maxSize;
  }

  /**
   * @param failing what becomes of it if this side fails later: `discard` if nobody can go on with it
   * @throws UploadRefusal
   */
  async begin(deposit: NewDeposit, from = '', failing: Open['failing'] = 'keep'): Promise<void> {
    await this.#telling(deposit.path, from, async () => {
      const { id, path, size } = deposit;
      checkPath(path);
      this.#checkSize(size ?? 0);
      await this.#starts(id, async () => {
        await this.#reserve(id, size ?? 0);
        try {
          const begun = await this.#options.deposits.begin(deposit);
          // An empty one is whole already.
          this.#opened(id, { deposit: begun, from, failing, busy: size === 0 });
        } catch (error) {
          this.#forget(id);
          throw error;
        }
      });
      if (size === 0) await this.#finish(id);
    });
  }

  /** How far one has come. Undefined: there is none. @throws UploadRefusal */
  async look(id: string): Promise<UploadStanding | undefined> {
    const finished = this.#finished.get(id);
    if (finished) return finished;
    const found = await this.#find(id);
    if (!found) return undefined;
    const { size, offset, created, path } = found.deposit;
    return { size, offset, created, path };
  }

  /**
   * Takes what comes, and puts it in place once it is whole. What came before a failure is kept.
   * @param from who sends this part, if it may be another than who began it
   * @returns the bytes that are here
   * @throws UploadRefusal; whatever `from` throws
   */
  async write(id: string, stream: AsyncIterable<Uint8Array>, from?: string): Promise<number> {
    const open = await this.#find(id);
    if (!open) throw new UploadRefusal(404, 'There is no such upload.');
    if (open.busy) throw new UploadRefusal(423, 'Somebody is at work on this upload.');
    open.from = from ?? open.from;
    const { deposit } = open;
    let cut: unknown;
    return this.#telling(
      deposit.path,
      open.from,
      async () => {
        open.busy = true;
        try {
          await deposit.write(
            deposit.size === undefined
              ? this.#metered(id, this.#paced(stream))
              : catching(this.#paced(stream), (error) => {
                  cut = error;
                }),
          );
          const { offset } = deposit;
          if (offset === deposit.size) await this.#finish(id);
          return offset;
        } catch (error) {
          // The client went away: what is here is kept, and nothing is wrong with this side.
          if (cut === undefined) await this.#drop(id, open.failing);
          throw error;
        } finally {
          open.busy = false;
          open.touched = this.#options.clock.now();
        }
      },
      () => cut !== undefined,
    );
  }

  /** One of unknown length is whole. @returns where it stands @throws UploadRefusal */
  async end(id: string): Promise<string> {
    const open = this.#open.get(id);
    if (!open) throw new UploadRefusal(404, 'There is no such upload.');
    open.busy = true;
    return this.#telling(open.deposit.path, open.from, () => this.#finish(id));
  }

  /** Where a finished one stands. */
  nameOf(id: string): string | undefined {
    return this.#finished.get(id)?.path;
  }

  /** Gives one up, with what is here of it. */
  async remove(id: string): Promise<boolean> {
    const found = await this.#find(id);
    if (!found) return this.#finished.has(id);
    await this.#drop(id, 'discard');
    return true;
  }

  /** What is unfinished is kept. */
  async close(): Promise<void> {
    this.#over = true;
    this.#stopSweeping();
    await Promise.all([...this.#open.keys()].map((id) => this.#drop(id, 'keep')));
  }

  async #telling<T>(
    path: string,
    from: string,
    work: () => Promise<T>,
    quietly: () => boolean = () => false,
  ): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (quietly()) throw cause;
      const refusal = refusalOf(cause);
      this.#options.on.failed({ path, from, refusal, cause });
      throw refusal;
    }
  }

  async #finish(id: string): Promise<string> {
    const { deposit, from, failing } = this.#open.get(id)!;
    const { offset, created } = deposit;
    let name: string;
    try {
      name = await deposit.finish();
    } catch (error) {
      await this.#drop(id, failing);
      throw error;
    }
    this.#open.delete(id);
    this.#forget(id);
    this.#placed += offset;
    this.#finished.set(id, { size: offset, offset, created, path: name });
    forgetOldest(this.#finished, MAX_FINISHED);
    this.#options.on.arrived({ name, bytes: offset, from });
    return name;
  }

  #find(id: string): Promise<Open | undefined> {
    const open = this.#open.get(id);
    if (open) {
      open.touched = this.#options.clock.now();
      return Promise.resolve(open);
    }
    if (!/^[0-9a-f]{32}$/.test(id) || this.#over) return Promise.resolve(undefined);
    let opening = this.#opening.get(id);
    if (!opening) {
      opening = this.#telling('', '', () => this.#again(id)).finally(() => this.#opening.delete(id));
      this.#opening.set(id, opening);
    }
    return opening;
  }

  #again(id: string): Promise<Open | undefined> {
    return this.#starts(id, async () => {
      const deposit = await this.#options.deposits.find(id);
      return deposit && this.#opened(id, { deposit, from: '', failing: 'keep', busy: false });
    });
  }

  #opened(id: string, found: Omit<Open, 'touched'>): Open {
    const open = { ...found, touched: this.#options.clock.now() };
    this.#open.set(id, open);
    return open;
  }

  /** With a place among those that are open. */
  async #starts<T>(id: string, work: () => Promise<T>): Promise<T> {
    this.#starting.add(id);
    try {
      await this.#makeRoom();
      return await work();
    } finally {
      this.#starting.delete(id);
    }
  }

  async #drop(id: string, end: 'keep' | 'discard'): Promise<void> {
    const open = this.#open.get(id);
    this.#open.delete(id);
    // Nobody can go on with one whose length is not known.
    if (end === 'discard' || open?.deposit.size === undefined) this.#forget(id);
    // A disk that fails at this is told of where somebody asks for the upload again.
    await open?.deposit.close(end).catch(() => {});
  }

  /** One that nobody is sending at the moment makes way. */
  async #makeRoom(): Promise<void> {
    if (this.#over) throw new UploadRefusal(503, 'This inbox is closing.');
    if (this.#open.size + this.#starting.size <= MAX_OPEN) return;
    const idle = [...this.#open].filter(([, { busy }]) => !busy);
    const [oldest] = idle.sort(([, a], [, b]) => a.touched - b.touched);
    if (!oldest) throw new UploadRefusal(503, 'Too many uploads are running. Try again in a moment.');
    await this.#drop(oldest[0], 'keep');
  }

  #checkSize(size: number): void {
    const { maxSize } = this.#options;
    if (maxSize !== undefined && size > maxSize)
      throw new UploadRefusal(413, `A file may have at most ${maxSize} bytes here.`);
  }

  /** @param bytes that this one will have, as far as that is known */
  async #reserve(id: string, bytes: number): Promise<void> {
    const { deposits, quota = Number.POSITIVE_INFINITY, clock } = this.#options;
    const before = this.#unfinished.get(id);
    const more = bytes - (before ?? 0);
    const free = deposits.free();
    if (free !== undefined && more > free) throw new UploadRefusal(507, 'There is no room left.');
    const crowded = () => before === undefined && this.#unfinished.size >= MAX_UNFINISHED;
    const over = () => this.#placed + this.#promised + more > quota;
    if ((crowded() || over()) && clock.now() - this.#counted > COUNT_AGE) await this.#count();
    if (this.#counted === Number.NEGATIVE_INFINITY) await this.#count();
    if (crowded()) throw new UploadRefusal(507, 'Too many uploads are unfinished here.');
    if (over()) throw new UploadRefusal(507, 'This inbox takes no more: it is as full as it may be.');
    this.#unfinished.set(id, bytes);
    this.#promised += more;
  }

  #forget(id: string): void {
    this.#promised -= this.#unfinished.get(id) ?? 0;
    this.#unfinished.delete(id);
  }

  /** Also what others have put there or removed, and what an earlier process left. */
  #count(): Promise<void> {
    this.#counting ??= (async () => {
      const { deposits, quota, clock } = this.#options;
      const unfinished = await deposits.unfinished();
      this.#placed = quota === undefined ? 0 : await deposits.used();
      this.#counted = clock.now();
      // What has begun or ended meanwhile is known better here.
      for (const [id, bytes] of this.#unfinished)
        if (this.#open.has(id) || this.#starting.has(id)) unfinished.set(id, bytes);
      for (const id of unfinished.keys()) if (this.#finished.has(id)) unfinished.delete(id);
      this.#unfinished = unfinished;
      this.#promised = 0;
      for (const bytes of unfinished.values()) this.#promised += bytes;
    })().finally(() => {
      this.#counting = undefined;
    });
    return this.#counting;
  }

  /** Of one whose length nobody knows, each piece is asked for. */
  async *#metered(id: string, stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const piece of stream) {
      bytes += piece.length;
      this.#checkSize(bytes);
      await this.#reserve(id, bytes);
      yield piece;
    }
  }

  /** No faster than all together may be. */
  #paced(stream: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const { limit, clock } = this.#options;
    if (!limit) return stream;
    return (async function* () {
      for await (const piece of stream) {
        await sleep(clock, limit.pass(piece.length));
        yield piece;
      }
    })();
  }

  #sweep(): void {
    if (this.#over) return;
    const { clock, deposits } = this.#options;
    let next = 0;
    const look = async () => {
      const idle = [...this.#open].filter(([, { busy, touched }]) => !busy && clock.now() - touched > IDLE);
      for (const [id] of idle) await this.#drop(id, 'keep');
      if (clock.now() < next) return;
      next = clock.now() + SWEEP_EVERY;
      await deposits.sweep(UNFINISHED_KEPT);
    };
    const again = () => {
      // A disk that cannot be looked at now is looked at again.
      void look()
        .catch(() => {})
        .then(() => {
          if (!this.#over) this.#stopSweeping = clock.after(IDLE, again);
        });
    };
    again();
  }
}

/** Names that hide a file, such as `.ssh/authorized_keys`, are taken from nobody who is not known. */
function checkPath(path: string): void {
  if (path === '') throw new UploadRefusal(400, 'A file needs a name.');
  if (path.split('/').some((part) => part.startsWith('.')))
    throw new UploadRefusal(400, 'A name that begins with a dot is not taken here.');
}

/** The stream as it is; `failed` hears first that it was cut off. Whoever only stops reading it fails nothing. */
async function* catching(
  stream: AsyncIterable<Uint8Array>,
  failed: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    failed(error);
    throw error;
  }
}
