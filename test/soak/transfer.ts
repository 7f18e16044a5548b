/** One transfer by two real processes, to a folder on a slow disk. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import type { Line } from '../integration/command.ts';
import { Workspace } from '../integration/workspace.ts';
import { randomFrom } from '../seed.ts';
import { slowDisk } from './slow-disk.ts';
import { difference, filesOf, plantMany } from './tree.ts';

/** Milliseconds for one process. */
const DEADLINE = 600_000;

export interface Soaked {
  files: number;
  bytes: number;
  /** From the receiver's start to its end. */
  seconds: number;
  /** Why the disk was not slow, if it was not. */
  fast?: string;
}

/** @throws AssertionError if either side does not end well, or the trees differ, or more was shown than there is */
export async function soakOne(seed: number, most = Number.POSITIVE_INFINITY): Promise<Soaked> {
  const random = randomFrom(seed);
  const workspace = new Workspace();
  try {
    const files = Math.min(most, filesOf(random));
    const tree = workspace.folder('from', 'tree');
    const bytes = plantMany(tree, files, random);
    const { env, why } = slowDisk(workspace.dir);
    const to = workspace.folder('to');
    const { sender, code, port } = await workspace.sender([tree], { deadline: DEADLINE });
    const began = performance.now();
    const receiver = workspace.receiver(code, port, ['--to', to], {
      deadline: DEADLINE,
      ...(env && { env }),
    });
    const ended = await receiver.ends(0);
    const seconds = (performance.now() - began) / 1000;
    await sender.ends(0);
    checkShown(ended.events, files, bytes);
    assert.equal(difference(workspace.path('from'), to), undefined);
    return { files, bytes, seconds, ...(why && { fast: why }) };
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
  } finally {
    rmSync(workspace.path('to'), { recursive: true, force: true });
    await workspace.dispose();
  }
}

/** Nothing is shown twice, and at the end all is. */
function checkShown(events: readonly Line[], files: number, bytes: number): void {
  for (const line of events) {
    if (line.event !== 'progress') continue;
    const text = JSON.stringify(line);
    assert.ok(Number(line.bytes) <= bytes, text);
    if (line.fileBytes !== undefined) assert.ok(Number(line.fileBytes) <= Number(line.fileSize), text);
  }
  const done = events.find((line) => line.event === 'done');
  assert.deepEqual([done?.files, done?.bytes], [files, bytes]);
}
