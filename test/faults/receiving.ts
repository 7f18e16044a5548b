/** The tree of tree.ts, received into a StagingSink on a faulty disk, and what must hold whenever that stops. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { BeelineError } from '../../src/base/errors.ts';
import { toMicros } from '../../src/node/files/io.ts';
import { StagingSink } from '../../src/node/files/staging-sink.ts';
import { CHUNK, hashOf, staged } from '../node/files/helpers.ts';
import { FaultyDisk, type Outcome } from './disk.ts';
import type { PlanOptions } from './plan.ts';
import { BYTES, CHUNKS, ENTRIES, EXPECTED, hex, SPACE } from './tree.ts';

export class Receiving {
  readonly to: string;
  readonly disk: FaultyDisk;
  /** The receiver has told the sender that all is well. */
  finished = false;
  /** It said so when it could not remove its staging. */
  warned = false;
  readonly #random: () => number;
  readonly #mock: TestContext['mock'];

  constructor(t: TestContext, random: () => number) {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), 'beeline-faulty-')));
    this.to = join(dir, 'to');
    mkdirSync(this.to);
    this.disk = new FaultyDisk(dir, random);
    this.#random = random;
    this.#mock = t.mock;
    t.mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => {
      this.end();
      rmSync(dir, { recursive: true, force: true });
    });
  }

  end(): void {
    this.disk.dispose();
    this.#mock.timers.reset();
  }

  /** One process that receives, or goes on receiving, whatever befalls it. Returns what became of it. */
  async life(options: PlanOptions, again = false): Promise<Outcome<void>> {
    const outcome = await this.disk.run(options, async () => {
      const sink = new StagingSink({ to: this.to, overwrite: 'ask', onWarning: () => (this.warned = true) });
      try {
        await sink.open(ENTRIES, SPACE, 'sha256');
        for (;;) {
          try {
            await this.#move(sink);
            await sink.finish();
            this.finished = true;
            await sink.close('done');
            return;
          } catch (error) {
            if (!again || !(error instanceof BeelineError)) throw error;
            checkClear(error);
            if (!(await sink.ready())) throw error;
            await sink.reopen();
          }
        }
      } finally {
        await sink.close('keep');
        // Of syncs side by side, one may have failed while the others still have their files open.
        for (let turn = 0; turn < 30; turn++) await setImmediate();
      }
    });
    if (outcome.error instanceof assert.AssertionError) throw outcome.error;
    if (!outcome.crashed) {
      assert.deepEqual(outcome.leftOpen, []);
      // What is there then is whole, and in the way of receiving it once more.
      const exists = this.finished && (outcome.error as BeelineError | undefined)?.code === 'EXISTS';
      if (outcome.error !== undefined && !exists) checkClear(outcome.error);
    }
    return outcome;
  }

  /**
   * The same on a disk that works: what is still wrong then. Linux tells a failure that nobody was told of, whatever its
   * kind, to whoever syncs that file next, once for each file: as many processes may find one.
   */
  async recover(): Promise<unknown> {
    for (let left = ENTRIES.length; ; left--) {
      const { error } = await this.life({});
      const late = /EIO/.test(String((error as Error | undefined)?.cause));
      if (!late || left === 0) return error;
    }
  }

  /** What no end of a process or loss of power may do. */
  check(): void {
    for (const [i, { path, kind, target, size }] of ENTRIES.entries()) {
      const found = lstatSync(join(this.to, path), { throwIfNoEntry: false });
      if (!found || kind === 'folder') continue;
      if (kind === 'link') assert.equal(readlinkSync(join(this.to, path)), target);
      else {
        const bytes = readFileSync(join(this.to, path));
        assert.equal(bytes.length, size, `${path} is not whole`);
        assert.ok(bytes.equals(BYTES[i]!), `${path} has other bytes`);
      }
    }
  }

  /** Everything is there and nothing else. `strays`: but for the staging, whose end a power loss may have undone. */
  checkWhole({ strays = false } = {}): void {
    const names = (readdirSync(this.to, { recursive: true }) as string[]).filter(
      (name) => !strays || !name.startsWith('.beeline-'),
    );
    const found = names.map((name) => {
      const path = join(this.to, name);
      const stat = lstatSync(path, { bigint: true });
      const mode = stat.isSymbolicLink() ? 'link' : (stat.mode & 0o7777n).toString(8);
      const what = stat.isDirectory() ? 'folder' : stat.isFile() ? hex(readFileSync(path)) : '';
      return `${name} ${mode} ${toMicros(stat)} ${what || `-> ${readlinkSync(path)}`}`;
    });
    assert.deepEqual(found.sort(), EXPECTED);
  }

  /**
   * The process that held the lock was this one, which lives: makes it a dead one's, of some time ago. Without this a
   * test could not be two processes.
   */
  async bury(): Promise<void> {
    const outcome = await this.disk.run({}, () => {
      for (const staging of staged(this.to))
        for (const name of readdirSync(join(this.to, staging))) {
          if (!name.startsWith('lock')) continue;
          const path = join(this.to, staging, name);
          const text = readFileSync(path, 'utf8');
          const dead = text.replace(/"pid":\d+/, '"pid":2147483646');
          if (dead !== text) writeFileSync(path, dead);
          utimesSync(path, 1, 1);
        }
    });
    if (outcome.error) throw outcome.error;
  }

  /** Chunks that are not held, in random order, some at the same time, with a commit now and then. */
  async #move(sink: StagingSink): Promise<void> {
    const held = new Map([...sink.held()].map(({ index, hash }) => [index, hash]));
    for (const [chunk, hash] of held) this.#checkHeld(chunk, hash);
    const missing = shuffled(
      Array.from({ length: SPACE.chunks }, (_, chunk) => chunk).filter((chunk) => !held.has(chunk)),
      this.#random,
    );
    // Either as it comes, or such that files become whole while a commit has just begun with their first pieces.
    const burst = this.#random() < 0.4;
    const begins = (chunk: number) =>
      SPACE.extents(chunk).some(({ offset, length }) => offset === 0 && length === CHUNK);
    if (burst) missing.sort((a, b) => Number(begins(b)) - Number(begins(a)));
    const running: Promise<void>[] = [];
    let failure: unknown;
    for (const [i, chunk] of missing.entries()) {
      if (failure !== undefined) break;
      const written = this.#write(sink, chunk).catch((error) => {
        failure ??= error;
      });
      running.push(written);
      const last = begins(chunk) && !begins(missing[i + 1] ?? 0);
      if (burst ? begins(chunk) : this.#random() < 0.4) await written;
      if (burst ? last : this.#random() < 0.5) this.#mock.timers.tick(10_000);
      // So that what follows meets any state of the commit.
      for (let turns = burst ? 0 : Math.floor(this.#random() * 8); turns > 0; turns--) await setImmediate();
    }
    await Promise.all(running);
    if (failure !== undefined) throw failure;
  }

  async #write(sink: StagingSink, chunk: number): Promise<void> {
    const extents = SPACE.extents(chunk);
    const { data, hash, zero } = CHUNKS[chunk]!;
    const guess = await sink.guess(chunk, extents);
    if (guess && Buffer.compare(guess, hash) === 0) await sink.keep(chunk, extents, hash);
    else await sink.write(chunk, extents, zero ? undefined : data, hash);
  }

  /** The invariant: a journaled chunk is on the disk. */
  #checkHeld(chunk: number, hash: Uint8Array): void {
    const sha = Buffer.from(hash);
    const read = SPACE.extents(chunk).map(({ entry, offset, length }) => {
      const { path } = ENTRIES[entry]!;
      const name = createHash('sha256').update(path).digest('hex').slice(0, 32);
      const places = [...staged(this.to).map((staging) => join(this.to, staging, name)), join(this.to, path)];
      const place = places.find((each) => existsSync(each));
      assert.ok(place, `chunk ${chunk} is held, but there is no ${path}`);
      return readFileSync(place).subarray(offset, offset + length);
    });
    assert.deepEqual(hashOf(Buffer.concat(read)), sha, `chunk ${chunk} is held, but its bytes are not there`);
    assert.deepEqual(CHUNKS[chunk]!.hash, sha, `chunk ${chunk} is held with another hash`);
  }
}

function shuffled(all: number[], random: () => number): number[] {
  for (let i = all.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [all[i], all[other]] = [all[other]!, all[i]!];
  }
  return all;
}

/** What a person gets to read of a failing disk. */
function checkClear(error: unknown): void {
  if (!(error instanceof BeelineError)) throw error;
  const system = /^E(NOSPC|DQUOT|IO|ROFS)/.exec(String((error.cause as Error | undefined)?.message))?.[0];
  const codes = system === 'ENOSPC' || system === 'EDQUOT' ? ['DISK_FULL'] : ['WRITE_FAILED'];
  assert.ok(codes.includes(error.code), `${error.code} for ${system}: ${error.message}`);
  assert.match(error.message, /cannot be written: .+\.$/);
}
