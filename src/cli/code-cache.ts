/**
 * Runs a script, with what V8 compiled of it in an earlier run. To compile the command anew was a third of its start.
 *
 * What is in the cache runs as the user. So it is in the user's own cache folder, and both folder and file must be the user's and
 * writable by nobody else. The file's name is the hash of the script and of everything that compiles it, and the file begins with
 * the hash of what follows: another version's file and a damaged one are not read. Whatever goes wrong, the script is compiled as usual.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

const HASH_BYTES = 32;
/** Of a file: several times what there is. */
const MOST_BYTES = 64 * 2 ** 20;
const NAME = /^[0-9a-f]{64}(?:\.[0-9a-f]{8})?$/;
/** Two are used of each version. */
const MOST_FILES = 8;
/** Seconds: a longer run has given up by then what it compiled at its start. */
const FRESH_S = 60;

/**
 * Bytes of bytecode that a function runs before V8 optimizes it, on another thread: several times V8's own, since that took a quarter of
 * the receiver's processor time for 10,000 files, and an eighth for 1 GiB. Of Node 20 alone: later ones count calls, wait longer of
 * themselves, and have no such flag.
 */
const OPTIMIZED_AFTER = 1_000_000;

interface Place {
  folder: string;
  name: string;
}

/** @param use what the run is for: of each, what it needs is kept by itself; undefined: nothing is kept */
export function runCached(file: string, use: string | undefined): void {
  const source = readFileSync(file);
  const place = use === undefined ? undefined : attempt(() => placeOf(source, use));
  const kept = place && attempt(() => read(place));
  // Nothing but ASCII: scripts/build.mjs looks.
  const text = source.toString('latin1');
  const script = new Script(`(function (require, module, exports, __filename, __dirname) {${text}\n})`, {
    filename: file,
    cachedData: kept,
  });
  if (place && (!kept || script.cachedDataRejected))
    process.on('exit', (code) => {
      if (code === 0 && process.uptime() < FRESH_S) attempt(() => keep(place, script.createCachedData()));
    });
  // What V8 keeps holds for its flags alone: Node's own modules are loaded first, and a run that keeps something leaves them.
  else if (process.versions.node.startsWith('20.'))
    setImmediate(() => setFlagsFromString(`--interrupt-budget=${OPTIMIZED_AFTER}`));
  const module = { exports: {} };
  script.runInThisContext()(createRequire(file), module, module.exports, file, dirname(file));
}

/** Undefined where the user has no folder of that kind, or does not want it. */
function placeOf(source: Buffer, use: string): Place | undefined {
  // Node's own switch, for its own cache.
  if (process.env.NODE_DISABLE_COMPILE_CACHE) return undefined;
  const caches = cacheHome();
  if (!isAbsolute(caches) || (process.getuid?.() === 0 && !isRoots(caches))) return undefined;
  const { arch, execArgv, versions } = process;
  const all = [use, arch, versions.node, versions.v8, process.env.NODE_OPTIONS ?? '', ...execArgv, ''];
  return {
    folder: join(caches, 'beeline'),
    name: createHash('sha256').update(all.join('\0')).update(source).digest('hex'),
  };
}

/** Whoever becomes root may keep a user's environment. What root left there would keep the user out, of folders too that are not there yet. */
function isRoots(caches: string): boolean {
  let made = caches;
  while (!existsSync(made)) made = dirname(made);
  return statSync(homedir()).uid === 0 && statSync(made).uid === 0;
}

function cacheHome(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (process.platform === 'win32') return LOCALAPPDATA ?? '';
  if (XDG_CACHE_HOME) return XDG_CACHE_HOME;
  return join(homedir(), process.platform === 'darwin' ? 'Library/Caches' : '.cache');
}

function read({ folder, name }: Place): Buffer | undefined {
  if (!isOwn(lstatSync(folder))) return undefined;
  const file = openSync(join(folder, name), constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const stats = fstatSync(file);
    if (!stats.isFile() || !isOwn(stats) || stats.size > MOST_BYTES) return undefined;
    const bytes = readFileSync(file);
    const [hash, data] = [bytes.subarray(0, HASH_BYTES), bytes.subarray(HASH_BYTES)];
    return hash.equals(createHash('sha256').update(data).digest()) ? data : undefined;
  } finally {
    closeSync(file);
  }
}

function keep({ folder, name }: Place, data: Buffer): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stats = lstatSync(folder);
  if (!stats.isDirectory() || !isOwn(stats)) return;
  const making = join(folder, `${name}.${randomBytes(4).toString('hex')}`);
  const hash = createHash('sha256').update(data).digest();
  writeFileSync(making, Buffer.concat([hash, data]), { mode: 0o600, flag: 'wx' });
  renameSync(making, join(folder, name));
  dropOld(folder);
}

/** Those of other versions, and what a killed process half wrote, once there are many. */
function dropOld(folder: string): void {
  const dated = readdirSync(folder)
    .filter((name) => NAME.test(name))
    .map((name) => ({ name, at: lstatSync(join(folder, name)).mtimeMs }));
  dated.sort((a, b) => b.at - a.at);
  for (const { name } of dated.slice(MOST_FILES)) rmSync(join(folder, name), { force: true });
}

/** Windows keeps other users out of LOCALAPPDATA, and tells no owner. */
function isOwn({ uid, mode }: Stats): boolean {
  return process.platform === 'win32' || (uid === process.getuid!() && (mode & 0o022) === 0);
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
