/**
 * All uploads of an inbox: what may come, how much of it, how many at a time. Whatever way one comes (tus, PUT, a form), it
 * is one deposit here. Non-goals: HTTP, the disk.
 */
import type { TokenBucket } from '../../base/bucket.ts';
import { type Clock, sleep } from '../../base/clock.ts';
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
const SWEEP_EVERY = 3_600_000;
/** Milliseconds for which a count of the folder's bytes is good enough to refuse by. */
const COUNT_AGE = 10_000;

interface Open {
  deposit: Deposit;
  from: string;
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
  #used = 0;
  #counted = Number.NEGATIVE_INFINITY;
  #counting: Promise<void> | undefined;
  /** Bytes that were promised since the folder was counted. */
  #since = 0;
  #stopSweeping = (): void => {};
  #over = false;

  constructor(options: UploadsOptions) {
    this.#options = options;
    this.#sweep();
  }

  get maxSize(): number | undefined {
    return this.#options.maxSize;
  }

  /** @throws UploadRefusal */
  async begin(deposit: NewDeposit, from = ''): Promise<void> {
    await this.#telling(deposit.path, from, async () => {
      checkPath(deposit.path);
      this.#checkSize(deposit.size ?? 0);
      await this.#reserve(deposit.size ?? 0);
      await this.#makeRoom();
      const opened = await this.#options.deposits.begin(deposit);
      this.#open.set(deposit.id, { deposit: opened, from, busy: false, touched: this.#options.clock.now() });
      if (deposit.size === 0) await this.#finish(deposit.id);
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
              ? this.#metered(this.#paced(stream))
              : catching(this.#paced(stream), (error) => {
                  cut = error;
                }),
          );
        } catch (error) {
          // The client went away: what is here is kept, and nothing is wrong with this side.
          if (cut === undefined) await this.#drop(id, 'keep');
          throw error;
        } finally {
          open.busy = false;
          open.touched = this.#options.clock.now();
        }
        const { offset } = deposit;
        if (offset === deposit.size) await this.#finish(id);
        return offset;
      },
      () => cut !== undefined,
    );
  }

  /** One of unknown length is whole. @returns where it stands @throws UploadRefusal */
  async end(id: string): Promise<string> {
    const open = this.#open.get(id);
    if (!open) throw new UploadRefusal(404, 'There is no such upload.');
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
    const { deposit, from } = this.#open.get(id)!;
    const { offset, created } = deposit;
    let name: string;
    try {
      name = await deposit.finish();
    } catch (error) {
      await this.#drop(id, 'keep');
      throw error;
    }
    this.#open.delete(id);
    this.#finished.set(id, { size: offset, offset, created, path: name });
    for (const old of this.#finished.keys()) {
      if (this.#finished.size <= MAX_FINISHED) break;
      this.#finished.delete(old);
    }
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

  async #again(id: string): Promise<Open | undefined> {
    await this.#makeRoom();
    const deposit = await this.#options.deposits.find(id);
    if (!deposit) return undefined;
    const open = { deposit, from: '', busy: false, touched: this.#options.clock.now() };
    this.#open.set(id, open);
    return open;
  }

  async #drop(id: string, end: 'keep' | 'discard'): Promise<void> {
    const open = this.#open.get(id);
    this.#open.delete(id);
    // A disk that fails at this is told of where somebody asks for the upload again.
    await open?.deposit.close(end).catch(() => {});
  }

  /** One that nobody is sending at the moment makes way. */
  async #makeRoom(): Promise<void> {
    if (this.#over) throw new UploadRefusal(503, 'This inbox is closing.');
    if (this.#open.size < MAX_OPEN) return;
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

  async #reserve(bytes: number): Promise<void> {
    const { deposits, quota, clock } = this.#options;
    const free = deposits.free();
    if (free !== undefined && bytes > free) throw new UploadRefusal(507, 'There is no room left.');
    if (quota === undefined) return;
    const over = () => this.#used + this.#since + bytes > quota;
    if (over() || this.#counted === Number.NEGATIVE_INFINITY) {
      if (clock.now() - this.#counted > COUNT_AGE) await this.#count();
      if (over()) throw new UploadRefusal(507, 'This inbox takes no more: it is as full as it may be.');
    }
    this.#since += bytes;
  }

  /** What is being uploaded counts with what is still to come of it. */
  #count(): Promise<void> {
    this.#counting ??= (async () => {
      this.#used = await this.#options.deposits.used();
      this.#counted = this.#options.clock.now();
      this.#since = 0;
      for (const { deposit } of this.#open.values())
        this.#since += Math.max(0, (deposit.size ?? 0) - deposit.offset);
    })().finally(() => {
      this.#counting = undefined;
    });
    return this.#counting;
  }

  /** Of one whose length nobody knows, each piece is asked for. */
  async *#metered(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const piece of stream) {
      bytes += piece.length;
      this.#checkSize(bytes);
      await this.#reserve(piece.length);
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

/** The stream as it is; `failed` hears first that it was cut off. */
async function* catching(
  stream: AsyncIterable<Uint8Array>,
  failed: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      let step: IteratorResult<Uint8Array>;
      try {
        step = await iterator.next();
      } catch (error) {
        failed(error);
        throw error;
      }
      if (step.done) return;
      yield step.value;
    }
  } finally {
    await iterator.return?.();
  }
}
