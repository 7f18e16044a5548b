// The first script of a single-file executable (scripts/executable.mjs). It unpacks what it carries into the user's cache, once for
// each build, and runs the command there: native parts, workers and the page have to be files.
'use strict';
const { createHash, randomBytes } = require('node:crypto');
const { chmodSync, lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { homedir } = require('node:os');
const { dirname, isAbsolute, join } = require('node:path');
const { getAsset } = require('node:sea');
const { brotliDecompressSync } = require('node:zlib');

const id = getAsset('id', 'utf8');
const caches = cacheHome();
if (!isAbsolute(caches)) give('It has no folder for its parts: set XDG_CACHE_HOME or HOME to a folder.');
const folder = join(caches, 'beeline', `app-${id}`);
if (!isThere()) unpack();
createRequire(join(folder, 'dist/cli/main.js'))('./main.js');

function cacheHome() {
  const { BEELINE_APP_DIR, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (BEELINE_APP_DIR) return BEELINE_APP_DIR;
  if (process.platform === 'win32') return LOCALAPPDATA ?? '';
  if (XDG_CACHE_HOME) return XDG_CACHE_HOME;
  return join(homedir(), process.platform === 'darwin' ? 'Library/Caches' : '.cache');
}

/** What is in it runs as this user: it must be the user's, and nobody else may write there. Its name comes last, when all is in it. */
function isThere() {
  for (const each of [dirname(folder), folder]) {
    let stats;
    try {
      stats = lstatSync(each);
    } catch {
      return false;
    }
    const own =
      process.platform === 'win32' || (stats.uid === process.getuid() && (stats.mode & 0o022) === 0);
    if (!stats.isDirectory() || !own)
      give(`Others may write to ${each}. Remove it, or set BEELINE_APP_DIR to a folder of your own.`);
  }
  return true;
}

function unpack() {
  const packed = Buffer.from(getAsset('parts'));
  if (createHash('sha256').update(packed).digest('hex').slice(0, id.length) !== id)
    give('It is damaged: fetch it again.');
  const parts = brotliDecompressSync(packed);
  const head = parts.readUInt32LE(0);
  const files = JSON.parse(parts.toString('utf8', 4, 4 + head));
  const made = `${folder}.${randomBytes(4).toString('hex')}`;
  try {
    mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
    chmodSync(dirname(folder), 0o700);
    let at = 4 + head;
    for (const [path, size] of files) {
      const to = join(made, path);
      mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
      writeFileSync(to, parts.subarray(at, at + size), { mode: 0o600 });
      at += size;
    }
    renameSync(made, folder);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    // Another one may have been faster.
    if (!isThere())
      give(
        `Its parts cannot be written to ${folder}: ${error.message}. BEELINE_APP_DIR may name another folder.`,
      );
  }
}

function give(text) {
  process.stderr.write(`beeline: ${text}\n`);
  process.exit(1);
}
