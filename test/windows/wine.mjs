// Stands in the place of `node`: `node wine.mjs NODE SCRIPT ARGUMENTS...` runs the built command by Windows' own Node, under Wine.
// That Node cannot write to the pipes of this system. So what it writes goes into files, and from there comes out here.
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const [, , , , ...args] = process.argv;
const { WINEPREFIX, WINDOWS_NODE, WINDOWS_COMMAND } = process.env;
/** Milliseconds between two looks. */
const LOOK = 20;

const folder = mkdtempSync(join(WINEPREFIX, 'output-'));
const streams = [process.stdout, process.stderr].map((stream, at) => {
  const path = join(folder, String(at));
  return { stream, written: openSync(path, 'w'), read: openSync(path, 'r') };
});
const [out, err] = streams;
// Whoever kills this process kills that one.
const words = ['--pdeathsig', 'KILL', 'wine', WINDOWS_NODE, WINDOWS_COMMAND, ...args];
const child = spawn('setpriv', words, { stdio: ['ignore', out.written, err.written] });
for (const { written } of streams) closeSync(written);

const block = Buffer.alloc(1 << 16);
function pass() {
  for (const { stream, read } of streams)
    for (let length = readSync(read, block); length > 0; length = readSync(read, block))
      stream.write(Buffer.from(block.subarray(0, length)));
}
const looking = setInterval(pass, LOOK);
child.on('error', (error) => {
  throw error;
});
child.on('exit', (code, signal) => {
  clearInterval(looking);
  pass();
  rmSync(folder, { recursive: true });
  process.exitCode = code ?? (signal ? 1 : 0);
});
