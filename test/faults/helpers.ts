/** What the tests of the faulty disk share. */
import { execFile } from 'node:child_process';
import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { randomFrom, seed } from '../seed.ts';
import { FaultyDisk, type Outcome } from './disk.ts';

export const linux = { skip: process.platform !== 'linux' && 'models Linux' };

export function made(t: TestContext, random = randomFrom(seed)) {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'beeline-faults-')));
  const disk = new FaultyDisk(dir, random);
  t.after(() => {
    disk.dispose();
    rmSync(dir, { recursive: true, force: true });
  });
  return { dir, disk, random };
}

export function well<T>(outcome: Outcome<T>): T {
  if (outcome.error) throw outcome.error;
  return outcome.value as T;
}

/** Everything below a folder; times only where a test may set them. */
export function inventory(dir: string): string[] {
  return (readdirSync(dir, { recursive: true }) as string[]).sort().map((name) => {
    const stat = lstatSync(join(dir, name));
    const content = stat.isFile() ? readFileSync(join(dir, name)).toString('base64') : '';
    return `${name} ${stat.mode.toString(8)} ${stat.nlink} ${content}`;
  });
}

/** Makes a file of these bytes; what else is done to it, `more` does. */
export function put(path: string, data: string | Buffer, more: (fd: number) => void = () => {}): void {
  const fd = openSync(path, 'w');
  writeSync(fd, Buffer.from(data));
  more(fd);
  closeSync(fd);
}

export function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  fsyncSync(fd);
  closeSync(fd);
}

export function syncAll(dir: string): Promise<unknown> {
  return promisify(execFile)('sync', ['-f', dir]);
}
