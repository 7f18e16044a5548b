/**
 * Group commit: what was written is made durable in batches, only then journaled, and only then placed. So a journaled
 * chunk is on the disk whatever dies, nothing unsynced stands under a final name, and the disk is waited for a few
 * times a second instead of once a chunk. Final names become durable with the next batch: until then a power cut may leave a file
 * under its staged name, whole and journaled. Pure: the same order in every runtime, and in the simulator.
 */
import { Alarm, type Clock } from '../../base/clock.ts';
import { BeelineError } from '../../base/errors.ts';
import type { ChunkHash } from '../../offer/merkle.ts';
import type { Journal } from './journal.ts';

/** Until what was written is committed: what a crash can cost. */
const DELAY_MS = 250;
/** Bytes that are committed without waiting for that, and that may be uncommitted while a commit runs. */
const FULL_BYTES = 64 * 1024 * 1024;

export interface Batch {
  chunks: ChunkHash[];
  bytes: number;
  /** Entries with pieces written, not whole yet. */
  dirty: Set<number>;
  /** Entries whose staged data is whole, with where it is. */
  whole: Map<number, string>;
}

export interface CommitPorts {
  clock: Clock;
  journal: Pick<Journal, 'append'>;
  /** Makes a batch's staged files durable, and with them the final names that `place` has given so far. */
  sync: (batch: Batch) => Promise<void>;
  /** Renames whole files into place. Returns the entries that are. */
  place: (batch: Batch) => Promise<number[]>;
}

function emptyBatch(): Batch {
  return { chunks: [], bytes: 0, dirty: new Set(), whole: new Map() };
}

export class Committer {
  readonly #ports: CommitPorts;
  #batch = emptyBatch();
  /** Placed since the last record that says so. Their names are durable from the next sync on. */
  #placed: number[] = [];
  readonly #alarm: Alarm;
  /** When something was first added to the batch. */
  #since = 0;
  #running: Promise<void> | undefined;
  #failure: unknown;

  constructor(ports: CommitPorts) {
    this.#ports = ports;
    this.#alarm = new Alarm(ports.clock);
  }

  /** What is being gathered for the next commit. */
  get batch(): Batch {
    return this.#batch;
  }

  /** Something was added to the batch. Resolves when more may be; rejects if a commit has failed. */
  async added(bytes: number): Promise<void> {
    if (this.#failure) throw this.#failure;
    const { clock } = this.#ports;
    this.#batch.bytes += bytes;
    if (this.#batch.bytes < FULL_BYTES) {
      // Alarms may be late: in a page that nobody looks at they come once a minute.
      if (this.#alarm.waits && clock.now() - this.#since >= 2 * DELAY_MS) this.#begin();
      if (this.#alarm.waits) return;
      this.#since = clock.now();
      this.#alarm.set(DELAY_MS, () => this.#begin());
      return;
    }
    // The next commit gathers what comes meanwhile; a disk that cannot follow is waited for.
    if (this.#running) await this.#running;
    else this.#begin();
  }

  /** Whoever asks next is told if it fails. */
  #begin(): void {
    this.flush().catch(() => {});
  }

  /** Resolves when everything added so far is durable, journaled and in place; its final names are durable once `finish` resolves. Rejects if any of it failed. */
  async flush(): Promise<void> {
    this.#alarm.clear();
    while (this.#running) await this.#running;
    if (this.#failure) throw this.#failure;
    const batch = this.#batch;
    if (batch.chunks.length === 0 && batch.whole.size === 0 && batch.dirty.size === 0) return;
    this.#batch = emptyBatch();
    this.#running = this.#commit(batch)
      .catch((error) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#running = undefined;
      });
    await this.#running;
    if (this.#failure) throw this.#failure;
  }

  /** As `flush`, and all that is in place is durable there, and the journal knows of it. */
  async finish(): Promise<void> {
    await this.flush();
    await this.#ports.sync(emptyBatch());
    const placed = this.#placed.splice(0);
    // Only for speed, as the record says: a run that finds none looks at what stands.
    if (placed.length > 0)
      await this.#ports.journal.append([{ type: 'placed', entries: placed }], { sync: false });
  }

  /** No more commits are begun: whoever asks is told the reason. Resolves when a running one is done. */
  async stop(reason: unknown = new BeelineError('CANCELLED', 'Receiving was given up.')): Promise<void> {
    this.#alarm.clear();
    this.#failure ??= reason;
    await this.#running;
  }

  async #commit(batch: Batch): Promise<void> {
    const { journal, sync, place } = this.#ports;
    await sync(batch);
    const placed = this.#placed.splice(0);
    await journal.append([
      { type: 'chunks', chunks: batch.chunks },
      { type: 'placed', entries: placed },
    ]);
    for (const entry of await place(batch)) this.#placed.push(entry);
  }
}
