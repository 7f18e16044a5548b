/**
 * The bytes of one file as a disk may hold them: what is durable, and the changes since, of which a power loss
 * may keep any part. Reads of a live system see all changes; only `survive` is random.
 */
export const PAGE = 4096;
/** What a disk writes in one piece; a page of several may be torn between two of them. */
const SECTOR = 512;
/** Models are whole files in memory, several times over. */
export const MOST_BYTES = 64 * 1024 * 1024;

/** Bytes written at an offset, or a new size. */
export type Change = { at: number; data: Buffer } | { size: number };

interface State {
  /** The call has returned. Only then may a sync that begins count on covering it. */
  returned: boolean;
  /** A sync failed over it. Linux marks such pages clean, so that no later sync writes them of its own. */
  lost: boolean;
}

interface Pending {
  change: Change;
  state: State;
}

export class FileModel {
  #durable: Buffer;
  #pending: Pending[] = [];
  /** A failure that no sync of this very file has reported yet: Linux tells the next one that asks. */
  #unreported = false;

  constructor(durable: Buffer = Buffer.alloc(0)) {
    this.#durable = durable;
  }

  /** What a running system reads. */
  content(): Buffer {
    return this.#pending.reduce<Buffer>(
      (bytes, { change }) => apply(bytes, change),
      Buffer.from(this.#durable),
    );
  }

  /** Records a change; the function it returns is to be called once the caller has been told of it. */
  change(change: Change): () => void {
    const state: State = { returned: false, lost: false };
    this.#pending.push({ change, state });
    return () => {
      state.returned = true;
    };
  }

  /** True once after a sync of the whole file system failed over this file. */
  takeFailure(): boolean {
    const had = this.#unreported;
    this.#unreported = false;
    return had;
  }

  /**
   * A sync that begins now: what to call when it has succeeded, or has failed.
   * @param reports false for one of the whole file system: its failure is still to be told of each file
   */
  beginSync(reports = true): { done(): void; failed(): void } {
    const states = this.#pending.map(({ state }) => state);
    const covered = new Set(states.filter(({ returned, lost }) => returned && !lost));
    return {
      done: () => {
        const pending = this.#pending;
        this.#pending = [];
        for (const each of pending) {
          if (covered.has(each.state)) this.#keep(each.change);
          else this.#pending.push(each);
        }
      },
      failed: () => {
        for (const state of covered) state.lost = true;
        if (!reports && covered.size > 0) this.#unreported = true;
      },
    };
  }

  /** Makes a change durable, before others that came first and are not: they must not seem to come after it. */
  #keep(change: Change): void {
    const [first, end] =
      'size' in change ? [change.size, Infinity] : [change.at, change.at + change.data.length];
    const [from, to] = 'size' in change ? [first, end] : [floor(first), floor(end + PAGE - 1)];
    // Sizes are kept in order, so that earlier ones go along.
    const size = this.#pending.findLastIndex(({ change: other }) => 'size' in other);
    if (size >= 0) {
      const [earlier, ...after] = this.#pending.splice(size);
      this.#keep(earlier!.change);
      this.#pending.push(...after);
    }
    this.#pending = this.#pending.flatMap(({ change: other, state }) => {
      if ('size' in other) return [];
      const rest: Pending[] = [];
      const part = (start: number, stop: number, take: (at: number, data: Buffer) => void) => {
        const [low, high] = [Math.max(start, other.at), Math.min(stop, other.at + other.data.length)];
        if (low < high) take(low, other.data.subarray(low - other.at, high - other.at));
      };
      const stay = (at: number, data: Buffer) => rest.push({ change: { at, data }, state });
      part(0, from, stay);
      // A page goes to the disk as a whole, with all that was written to it; a cut takes away what is behind it.
      part(from, to, (at, data) => {
        this.#durable = apply(this.#durable, { at, data });
      });
      part(to, Infinity, stay);
      return rest;
    });
    this.#durable = apply(this.#durable, change);
  }

  /** A content that a power loss at this moment could leave behind. */
  survive(random: () => number): Buffer {
    // Metadata keeps its order: bytes written after a cut never stand in a file that was not cut, nor the other
    // way round. So the changes fall into spans between cuts, and a random number of the spans begins at all.
    const spans: { cut?: Change; changes: Change[] }[] = [{ changes: [] }];
    let size = this.#durable.length;
    for (const { change } of this.#pending) {
      if ('size' in change && change.size < size) spans.push({ cut: change, changes: [] });
      else spans.at(-1)!.changes.push(change);
      size = 'size' in change ? change.size : Math.max(size, change.at + change.data.length);
    }
    const begun = Math.floor(random() * spans.length);
    let bytes: Buffer = Buffer.from(this.#durable);
    for (const { cut, changes } of spans.slice(0, begun + 1))
      bytes = mix(cut ? apply(bytes, cut) : bytes, changes, random);
    return bytes;
  }
}

function floor(at: number): number {
  return at - (at % PAGE);
}

function apply(bytes: Buffer, change: Change): Buffer {
  const end = 'size' in change ? change.size : Math.max(bytes.length, change.at + change.data.length);
  if (end > MOST_BYTES) throw new Error(`a file of ${end} bytes is too large for the fault model`);
  const result = end === bytes.length ? bytes : Buffer.alloc(end);
  if (result !== bytes) bytes.copy(result);
  if ('data' in change) change.data.copy(result, change.at);
  return result;
}

/** Each page is any of the versions it has had, the size any of those the file has had. */
function mix(start: Buffer, changes: readonly Change[], random: () => number): Buffer {
  const sizes = [start.length];
  const versions = new Map<number, Buffer[]>();
  const page = (bytes: Buffer, index: number) => {
    const copy = Buffer.alloc(PAGE);
    bytes.subarray(index * PAGE, (index + 1) * PAGE).copy(copy);
    return copy;
  };
  let bytes: Buffer = Buffer.from(start);
  for (const change of changes) {
    bytes = apply(bytes, change);
    sizes.push(bytes.length);
    if ('size' in change) continue;
    for (let i = Math.floor(change.at / PAGE); i * PAGE < change.at + change.data.length; i++) {
      if (!versions.has(i)) versions.set(i, [page(start, i)]);
      versions.get(i)!.push(page(bytes, i));
    }
  }
  // Nothing, all, and the size without the bytes are likely on real disks; a mix of many pages would never be any.
  const mood = random();
  const pick = <T>(all: readonly T[]): T => {
    if (mood < 0.2) return all[0]!;
    return mood < 0.4 ? all.at(-1)! : all[Math.floor(random() * all.length)]!;
  };
  const result = Buffer.alloc(mood > 0.8 ? sizes.at(-1)! : pick(sizes));
  start.copy(result);
  for (const [i, all] of versions) {
    const kept = Buffer.from(mood > 0.8 ? all[0]! : pick(all));
    const torn = mood >= 0.4 && mood <= 0.8 && random() < 0.125;
    if (torn) pick(all).copy(kept, 0, 0, SECTOR * Math.floor((random() * PAGE) / SECTOR));
    kept.copy(result, i * PAGE);
  }
  return result;
}
