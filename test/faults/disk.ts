/**
 * A disk that fails on demand, for tests: a folder, and the processes that work in it one after the other.
 *
 *     const disk = new FaultyDisk(folder, random);            // what is in it counts as durable
 *     const life = await disk.run({ crashAt: 17 }, work);     // a process that dies at its 17th operation
 *     disk.losePower();                                       // and takes what was not synced with it
 *     await disk.run({}, goOn);                               // the next one finds what is left
 *     disk.dispose();
 *
 * Everything that `work` calls, also much later from timers, belongs to its run and finds itself dead after the end.
 * Calls from outside of a run, such as a test's own looks at the folder, are Node's plain ones, and must not change it.
 */
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { load, store } from './disk-image.ts';
import type { DiskModel } from './disk-model.ts';
import { Life } from './life.ts';
import { patch } from './patch.ts';
import { Crash, type Kind, Plan, type PlanOptions } from './plan.ts';
import { real } from './real.ts';
import { patchSyncCommand } from './sync-command.ts';

/** What became of a process. */
export interface Outcome<T> {
  value?: T;
  /** What its work threw; a BeelineError, say, or Crash. */
  error?: unknown;
  crashed: boolean;
  /** What it did to the disk, in order; operation n is at n - 1. */
  operations: readonly { kind: Kind; path: string }[];
  /** Files below the folder that it had not closed when its work was done. */
  leftOpen: string[];
}

const lives = new AsyncLocalStorage<Life>();
let disks = 0;
let unpatch: (() => void)[] = [];

export class FaultyDisk {
  readonly #root: string;
  readonly #random: () => number;
  #model: DiskModel;
  #running = false;
  #disposed = false;

  /** @param folder must exist, and hold little: its contents are kept in memory several times */
  constructor(folder: string, random: () => number) {
    this.#root = real.realpathSync(folder);
    this.#random = random;
    this.#model = load(this.#root);
    if (disks++ === 0) {
      const current = () => lives.getStore();
      unpatch = [patch(current), patchSyncCommand(current)];
    }
  }

  /** One process, from its start to the end of `work`. Never throws what `work` throws. */
  async run<T>(options: PlanOptions, work: () => T | Promise<T>): Promise<Outcome<T>> {
    assert.ok(!this.#running && !this.#disposed, 'one run at a time, none after dispose');
    const plan = new Plan(options, this.#random);
    const life = new Life(this.#root, this.#model, plan, this.#random);
    const ended: Partial<Outcome<T>> = {};
    this.#running = true;
    try {
      ended.value = await lives.run(life, async () => work());
    } catch (error) {
      ended.error = error;
    }
    this.#running = false;
    const leftOpen = [...life.files.values()].map(({ path }) => path);
    life.end();
    return { ...ended, crashed: plan.crashed, operations: [...plan.operations], leftOpen };
  }

  /** Rewrites the folder to a state that a power loss now could have left. All that is there then is durable. */
  losePower(random = this.#random): void {
    assert.ok(!this.#running, 'a run is not over');
    const { names, bytes } = this.#model.survive(random);
    store(this.#root, names, bytes);
    this.#model = load(this.#root);
  }

  /** Throws if the folder is not what the model thinks a running system would see. */
  check(): void {
    const found = load(this.#root).live;
    const list = (names: typeof found) =>
      [...names.walk()]
        .map(([path, inode]) => ({
          path,
          what: inode.bytes?.content().toString('base64') ?? inode.target ?? 'folder',
          mode: names.attributes.get(inode)!.mode,
        }))
        .sort((a, b) => (a.path < b.path ? -1 : 1));
    assert.deepEqual(list(found), list(this.#model.live), 'the fault model has lost track of the folder');
  }

  /** Puts Node's functions back once no other disk is in use. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (--disks === 0) for (const undo of unpatch.splice(0)) undo();
  }
}

export { Crash };
