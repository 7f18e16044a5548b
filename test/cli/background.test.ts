/** A real terminal, a real shell: Ctrl-Z, `bg`, `fg`, and the finished command ends. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { workspace } from '../integration/workspace.ts';
import { freePort } from '../ports.ts';

const MAIN = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const skip =
  process.platform !== 'linux' || spawnSync('script', ['--version']).status !== 0
    ? 'needs script(1) of util-linux, for a terminal'
    : false;

for (const tostop of [false, true])
  test(`a sender that is sent to the background ends when it is done${tostop ? ', with stty tostop too' : ''}`, {
    skip,
    timeout: 120_000,
  }, async (t) => {
    const work = workspace(t);
    writeFileSync(work.path('note.txt'), 'hello');
    const port = await freePort();
    const shell = spawn('script', ['-qfec', 'bash --norc -i', '/dev/null'], {
      cwd: work.dir,
      env: {
        ...process.env,
        PS1: '$ ',
        TERM: 'xterm',
        XDG_CONFIG_HOME: work.path('config'),
        BEELINE_STATE_DIR: work.path('state'),
      },
    });
    t.after(() => shell.kill('SIGKILL'));
    let said = '';
    const wake: (() => void)[] = [];
    shell.stdout.on('data', (data) => {
      said += data;
      for (const each of wake.splice(0)) each();
    });
    const until = async (pattern: RegExp) => {
      while (!pattern.test(said)) await new Promise<void>((resolve) => wake.push(resolve));
      said = said.slice(said.search(pattern) + 1);
    };
    if (tostop) shell.stdin.write('stty tostop\n');
    shell.stdin.write(
      `'${process.execPath}' '${MAIN}' send note.txt --code 7-velvet-canyon --no-lan --port ${port}\n`,
    );
    await until(/Waiting for the other side/);
    shell.stdin.write('\x1a');
    await until(/Stopped/);
    shell.stdin.write('bg\n');
    await until(/&\r?\n/);
    await work.receiver('7-velvet-canyon', port, ['--to', work.folder('out')]).ends(0);
    // `wait` returns when the job has ended, or when it is stopped, which `jobs` then says.
    // Of a job that is stopped, `wait` gives 128 and the signal.
    shell.stdin.write('wait %1; echo "status=$?"; exit\n');
    await until(/status=\d+/);
    assert.match(said, /^tatus=0\b/);
  });
