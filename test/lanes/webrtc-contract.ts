/** What a lane asks of every pipe, tried on the two ends of one: bytes both ways in order, backpressure, and ends. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { CREDIT_WINDOW } from '../../src/lanes/credit.ts';
import type { Pipe } from '../../src/lanes/pipe.ts';
import { HIGH_WATER } from '../../src/lanes/webrtc/pipe.ts';

/** Two ends of one pipe, started by nobody. */
export type Ends = () => Promise<[Pipe, Pipe]>;

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

/** As much as can be under way when the other side does not read. */
const MOST = CREDIT_WINDOW + HIGH_WATER + 1024 * 1024;

export function contract(ends: Ends, runs: number): void {
  it('carries writes of any size both ways, in order, through pauses', async () => {
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

  it('stops a writer whose reader is paused, and goes on with it', { timeout: 60_000 }, async () => {
    const [source, target] = await ends();
    const chunk = new Uint8Array(256 * 1024);
    const total = MOST + 64 * chunk.length;
    let written = 0;
    const all = (async () => {
      for (; written < total; written += chunk.length) await write(source, chunk);
    })();
    const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
    // However long it takes: what is checked is that it stops.
    const still = async (least: number) => {
      while (written < least) await pause();
      for (let before = -1; before !== written; await pause()) before = written;
      return written;
    };
    const first = await still(CREDIT_WINDOW - chunk.length);
    assert.ok(first <= MOST, `${first} bytes went to nobody`);
    const reading: Reading = new Reading(target, () => reading.bytes < 1_000_000 || target.pause());
    await reading.until(({ bytes }) => bytes >= 1_000_000);
    assert.ok((await still(0)) <= MOST + reading.bytes, `${written} bytes went, ${reading.bytes} were read`);
    assert.ok(reading.bytes < 2_000_000, `${reading.bytes} came in spite of the pause`);
    target.resume();
    const going = setInterval(() => target.resume(), 1);
    await all;
    await reading.until(({ bytes }) => bytes >= total);
    clearInterval(going);
    assert.equal(reading.bytes, total);
    for (const pipe of [source, target]) pipe.destroy();
  });

  it('that is destroyed ends at both sides, and what was written before still comes', async () => {
    const [source, target] = await ends();
    const [ours, theirs] = [new Reading(source), new Reading(target)];
    await write(source, new Uint8Array(1_500_000).fill(7));
    source.destroy();
    await theirs.until(({ over }) => over);
    await ours.until(({ over }) => over);
    assert.equal(theirs.bytes, 1_500_000);
    assert.equal(theirs.error, undefined);
    await assert.rejects(write(source, new Uint8Array(5)), { code: 'NO_PATH' });
    await assert.rejects(write(target, new Uint8Array(5)), { code: 'NO_PATH' });
    for (const pipe of [source, target]) pipe.destroy(new Error('twice'));
  });

  it('that ends while its reader is paused keeps what came for later', async () => {
    const [source, target] = await ends();
    const theirs = new Reading(target);
    target.pause();
    await write(source, new Uint8Array(500_000));
    source.destroy();
    await new Reading(source).until(({ over }) => over);
    assert.equal(theirs.over, false);
    target.resume();
    await theirs.until(({ over }) => over);
    assert.equal(theirs.bytes, 500_000);
  });
}
