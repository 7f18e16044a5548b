/** What a lane asks of every pipe, tried on the two ends of one: bytes both ways in order, backpressure, and ends. */
import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import fc from 'fast-check';
import type { Pipe } from '../../src/secure/pipe.ts';

export const MiB = 2 ** 20;
/** What the writer writes at a time to a reader that is paused. */
export const CHUNK = 256 * 1024;
/** Milliseconds of each test, and of a wait within it. */
const DEADLINE = 60_000;

/** Two ends of one pipe, started by nobody. Where only one of them writes, it is the first. */
export type Ends = () => Promise<[Pipe, Pipe]>;

/** What pipes differ in. */
export interface Contract {
  /** How often the property is tried. */
  runs: number;
  /** Bytes that may be under way when the other side does not read; Infinity: the pipe keeps whatever it is given. */
  most: number;
  /** Bytes that are taken before the writer is stopped. 0: that is for the kernel to say. */
  least: number;
  /** The `code` of the error of a write after the end. Default: NO_PATH; node:stream has one of its own. */
  refusal?: string;
  /** It ends like a lost connection, with an error and without what was under way. */
  cuts?: boolean;
  /**
   * Why it may lose what is under way when it is destroyed, and what a paused reader has not taken when the other side is.
   * No lane counts on either: what one loses is asked for on another.
   */
  loses?: { destroyed?: string; paused?: string };
}

export function write(pipe: Pipe, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    pipe.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** What comes out of a pipe. */
export class Reading {
  bytes = 0;
  /** Of all that came, in order. */
  sum = 0;
  error: Error | undefined;
  over = false;
  readonly #waiting = new Set<() => void>();

  constructor(pipe: Pipe, heard: (reading: Reading) => void = () => {}) {
    pipe.start(
      (bytes) => {
        this.bytes += bytes.length;
        this.sum = checksum(bytes, this.sum);
        heard(this);
        this.#look();
      },
      (error) => {
        this.error = error;
        this.over = true;
        this.#look();
      },
    );
  }

  /** Within a test's own time. */
  async until(holds: (reading: Reading) => boolean): Promise<void> {
    while (!holds(this)) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  #look(): void {
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }
}

export function checksum(bytes: Uint8Array, sum = 0): number {
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0;
  return sum;
}

export function contract(
  make: Ends,
  { runs, most, least, refusal = 'NO_PATH', cuts, loses = {} }: Contract,
): void {
  const open: Pipe[] = [];
  const ends: Ends = async () => {
    const pipes = await make();
    open.push(...pipes);
    return pipes;
  };
  // After a failure, too: a socket left open would keep the process.
  after(() => {
    for (const pipe of open) pipe.destroy();
  });

  it('carries writes of any size both ways, in order, through pauses', { timeout: DEADLINE }, async () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 300_000 })), {
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.nat(9), async (there, back, every) => {
        const pipes = await ends();
        const crossed = [there, back].map(async (list, from) => {
          const [source, target] = from === 0 ? pipes : [pipes[1], pipes[0]];
          let piece = 0;
          const reading = new Reading(target, () => {
            if (++piece % (every + 1) !== 0) return;
            target.pause();
            setTimeout(() => target.resume(), 1);
          });
          let sum = 0;
          const buffer = new Uint8Array(300_000);
          for (const [index, size] of list.entries()) {
            // The same buffer each time: it may be reused once it is written.
            const bytes = buffer.subarray(0, size).fill(index + 1);
            sum = checksum(bytes, sum);
            await write(source, bytes);
          }
          const total = list.reduce((all, size) => all + size, 0);
          await reading.until(({ bytes, over }) => bytes >= total || over);
          assert.equal(reading.bytes, total);
          assert.equal(reading.sum, sum);
        });
        await Promise.all(crossed);
        for (const pipe of pipes) pipe.destroy();
      }),
      { numRuns: runs },
    );
  });

  if (most < Infinity)
    it('stops a writer whose reader is paused, and goes on with it', { timeout: DEADLINE }, async () => {
      const [source, target] = await ends();
      const chunk = new Uint8Array(CHUNK);
      const total = most + 64 * CHUNK;
      let written = 0;
      const all = (async () => {
        for (; written < total; written += CHUNK) await write(source, chunk);
      })();
      // A failure shows where it is awaited.
      all.catch(() => {});
      const first = await still(() => written, least);
      assert.ok(first <= most, `${first} bytes went to nobody`);
      let pauses = 0;
      // Not for ever: some pipes hand over 16 KiB at a time, and then a pause for each takes long.
      const reading = new Reading(target, (reading) => {
        if (reading.bytes >= 1_000_000 && pauses++ < 500) target.pause();
      });
      await reading.until(({ bytes }) => bytes >= 1_000_000);
      assert.ok(
        (await still(() => written)) <= most + reading.bytes,
        `${written} bytes went, ${reading.bytes} were read`,
      );
      assert.ok(reading.bytes < 2_000_000, `${reading.bytes} came in spite of the pause`);
      target.resume();
      const going = setInterval(() => target.resume(), 1);
      try {
        await all;
        await reading.until(({ bytes, over }) => bytes >= total || over);
      } finally {
        clearInterval(going);
      }
      assert.equal(reading.bytes, total);
      for (const pipe of [source, target]) pipe.destroy();
    });

  const whole = !cuts && loses.destroyed === undefined;
  const kept = whole ? ', and what was written before still comes' : '';
  it(`that is destroyed ends at both sides${kept}`, { timeout: DEADLINE }, async () => {
    const [source, target] = await ends();
    const [ours, theirs] = [new Reading(source), new Reading(target)];
    await write(source, new Uint8Array(1_500_000).fill(7));
    source.destroy();
    await theirs.until(({ over }) => over);
    await ours.until(({ over }) => over);
    if (whole) {
      assert.equal(theirs.bytes, 1_500_000);
      assert.equal(theirs.error, undefined);
    }
    for (const pipe of [source, target])
      await assert.rejects(write(pipe, new Uint8Array(5)), whole ? { code: refusal } : Error);
    for (const pipe of [source, target]) pipe.destroy(new Error('twice'));
  });

  if (!cuts && loses.paused === undefined)
    it('that ends while its reader is paused keeps what came for later', { timeout: DEADLINE }, async () => {
      // Less than any buffer on the way holds, and more.
      for (const length of [10, 30_000, 500_000]) {
        const [source, target] = await ends();
        const theirs = new Reading(target);
        target.pause();
        await write(source, new Uint8Array(length));
        source.destroy();
        await new Reading(source).until(({ over }) => over);
        // So that the end, too, is there before the reader goes on.
        await still(() => theirs.bytes);
        assert.equal(theirs.over, false, `it ended with ${theirs.bytes} of ${length} bytes`);
        target.resume();
        await theirs.until(({ over }) => over);
        assert.equal(theirs.bytes, length);
      }
    });
}

/** Waits until it has come that far and stops, however long it takes: what is checked is that it stops. */
async function still(measure: () => number, least = 0): Promise<number> {
  const end = performance.now() + DEADLINE;
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
  while (measure() < least) {
    assert.ok(performance.now() < end, `${measure()} bytes were taken, not ${least}`);
    await pause();
  }
  for (let before = -1; before !== measure(); await pause()) {
    assert.ok(performance.now() < end, 'it does not stop');
    before = measure();
  }
  return measure();
}
