/** What other users of the machine see of a command that has a code among its arguments. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const SECRET = '7-velvet-canyon';

const shown = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8');

/** Milliseconds for which a new process shows the code; fails if it never hides it. */
async function showing(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    const from = performance.now();
    while (shown(child.pid!).includes(SECRET)) {
      assert.ok(performance.now() - from < 30_000, 'still shown after 30 s');
      await delay(1);
    }
    return performance.now() - from;
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

const options = { skip: process.platform !== 'linux' && 'needs /proc' };
test('a code given as an argument leaves what `ps` shows', options, async (t) => {
  const args = [MAIN, 'receive', SECRET, '--at', '127.0.0.1:9', '--to', '/nonexistent', '--yes'];
  const times: number[] = [];
  for (let i = 0; i < 5; i++) times.push(await showing(args));
  t.diagnostic(`shown for ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`);
});

test('the title is set before anything of ours is loaded', () => {
  const built = readFileSync(MAIN, 'utf8');
  assert.ok(built.includes('process.title'));
  // The first call that loads something.
  assert.ok(built.indexOf('process.title') < built.lastIndexOf('init_code_cache('), built);
  // The rest of the command is no part of it.
  assert.ok(built.length < 10_000, `${built.length} bytes`);
});
