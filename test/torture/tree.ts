/** Mixed trees from a seed: files of every size around the engine's limits, holes, links, folders, odd names and modes. */
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from '../seed.ts';

type Random = () => number;

const MiB = 1024 * 1024;
const NAMES = [
  'plain',
  'with space',
  'ünïcode',
  '日本語',
  'dash-',
  '.hidden',
  "quote'd",
  'a.tar.gz',
  '$(x);&',
];

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!;
}

/** Incompressible, and cheap for many megabytes. */
function content(random: Random, size: number): Buffer {
  const block = randomBytes(random, Math.min(size, 64 * 1024));
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += block.length) {
    block.copy(bytes, at);
    if (size >= 4) bytes.writeUInt32LE(at >>> 0, Math.min(at, size - 4));
  }
  return bytes;
}

function time(path: string, random: Random): void {
  const at = 1_500_000_000 + Math.floor(random() * 2e8);
  utimesSync(path, at, at);
}

/** Makes `folder` and what is in it. */
export function plant(folder: string, random: Random): void {
  mkdirSync(folder, { recursive: true });
  const folders = [folder];
  for (let i = 0, count = Math.floor(random() * 5); i < count; i++) {
    const path = join(pick(random, folders), `${pick(random, NAMES)} ${i}`);
    mkdirSync(path, { recursive: true });
    folders.push(path);
  }
  for (let i = 0, count = Math.floor(random() * 60); i < count; i++) {
    const path = join(pick(random, folders), `${pick(random, NAMES)} s${i}`);
    writeFileSync(path, content(random, Math.floor(random() ** 3 * 200_000)));
    time(path, random);
  }
  const large = [MiB - 1, MiB, MiB + 1, 2 * MiB, 3.5 * MiB, 8 * MiB, 5 * MiB + 77];
  for (let i = 0, count = 1 + Math.floor(random() * 3); i < count; i++) {
    const path = join(pick(random, folders), `large ${i}`);
    writeFileSync(path, content(random, pick(random, large)), {
      mode: pick(random, [0o644, 0o600, 0o444, 0o755]),
    });
    time(path, random);
  }
  if (random() < 0.5) sparse(join(pick(random, folders), 'sparse'), random);
  if (random() < 0.6) link(join(pick(random, folders), 'link'), random);
  writeFileSync(join(pick(random, folders), 'empty'), '');
  // Deepest first, so that no later entry touches them.
  for (const path of folders.reverse()) time(path, random);
}

function sparse(path: string, random: Random): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, 20 * MiB);
  writeSync(fd, content(random, 1000), 0, 1000, Math.floor(random() * 19 * MiB));
  closeSync(fd);
  time(path, random);
}

function link(path: string, random: Random): void {
  symlinkSync(pick(random, ['nowhere', 'empty', './large 0']), path);
  lutimesSync(path, 1_600_000_000, 1_600_000_000);
}

/** What its owner does to a tree between two sends; nothing is removed, since what has arrived stays there. */
export function change(folder: string, random: Random): void {
  const large = join(folder, 'changing');
  const act = random();
  if (act < 0.3) writeFileSync(join(folder, 'added'), content(random, 300_000));
  else if (act < 0.7) appendFileSync(large, content(random, 400_000));
  else writeFileSync(large, content(random, 2.5 * MiB));
}

/** Bytes of all files in a folder, holes included. */
export function size(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
