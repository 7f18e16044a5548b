/** The real command on real terminals of 80, 40 and 20 columns, whose size changes while files move. What it writes is shown by a terminal. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { type Workspace, workspace } from '../integration/workspace.ts';
import { freePort } from '../ports.ts';
import { VirtualTerminal } from './vt.ts';

const MAIN = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const PTY = new URL('on-pty.py', import.meta.url).pathname;
const CODE = '7-velvet-canyon';
/** Several receivers need a longer one. */
const LONG_CODE = '7-abandon-zoo-cat';
const DEADLINE_MS = 60_000;
const skip =
  process.platform === 'win32' || spawnSync('python3', ['--version']).status !== 0
    ? 'needs python3, for pseudo-terminals'
    : false;

/** A command on a terminal of its own. */
class Seat {
  readonly terminal: VirtualTerminal;
  readonly ended: Promise<number>;
  /** All that was written. */
  text = '';
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #wake: (() => void)[] = [];
  #end!: (status: number) => void;
  #queue: Promise<unknown> = Promise.resolve();
  #status: number | undefined;

  constructor(t: TestContext, work: Workspace, columns: number, args: string[], env: object = {}) {
    this.terminal = new VirtualTerminal(columns);
    const own = { XDG_CONFIG_HOME: work.path('config'), BEELINE_STATE_DIR: work.path('state') };
    const { NO_COLOR: _, ...rest } = process.env;
    this.#child = spawn('python3', [PTY, `${columns}`, '24', process.execPath, MAIN, ...args], {
      cwd: work.dir,
      env: { ...rest, TERM: 'xterm-256color', BEELINE_DHT: 'off', ...own, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.after(() => this.#child.stdin.end());
    this.#child.on('close', () => this.#hear({ ended: Number.NaN }));
    createInterface(this.#child.stdout).on('line', (line) => this.#hear(JSON.parse(line)));
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  #hear(said: { out?: string; size?: [number, number]; ended?: number }): void {
    this.#queue = this.#queue.then(async () => {
      if (said.out !== undefined) {
        const text = Buffer.from(said.out, 'base64');
        this.text += text.toString('latin1');
        this.terminal.write(text);
      }
      if (said.size) await this.terminal.resize(...said.size);
      if (said.ended !== undefined) {
        this.#status ??= said.ended;
        this.#end(this.#status);
      }
      for (const wake of this.#wake.splice(0)) wake();
    });
  }

  /** Resolves with what is shown as soon as it is so. */
  async until(what: string, shows: (rows: string[]) => boolean): Promise<string[]> {
    const late = setTimeout(() => this.#child.stdin.end(), DEADLINE_MS);
    try {
      for (;;) {
        const rows = await this.terminal.shown();
        if (shows(rows)) return rows;
        const shown = () => `${what} was never shown, but:\n${rows.join('\n')}`;
        if (this.#status !== undefined) assert.fail(shown());
        await new Promise<void>((resolve) => this.#wake.push(resolve));
      }
    } finally {
      clearTimeout(late);
    }
  }

  says(pattern: RegExp): Promise<string[]> {
    return this.until(String(pattern), (rows) => rows.some((row) => pattern.test(row)));
  }

  type(text: string): void {
    this.#child.stdin.write(`${JSON.stringify({ type: text })}\n`);
  }

  resize(columns: number): void {
    this.#child.stdin.write(`${JSON.stringify({ size: [columns, 24] })}\n`);
  }
}

const isRow = (row: string) => /^ +[12] (?:[0-9a-f]{4}| +\d+%)/.test(row);
const isWhole = (row: string) => /of 2 done/.test(row) && !/^Receiver/.test(row);
/** The lines that are redrawn, of a sender with two receivers. */
const isStatus = (row: string) => isRow(row) || isWhole(row);

test('a sender and two receivers at 80, 40 and 20 columns: each size leaves what was said and one status', {
  skip,
  timeout: 180_000,
}, async (t) => {
  const work = workspace(t);
  writeFileSync(work.path('large.bin'), '');
  // It does not end by itself before the test does.
  truncateSync(work.path('large.bin'), 2 ** 33);
  const port = await freePort();
  const seat = (columns: number, ...args: string[]) => new Seat(t, work, columns, args);
  const sender = seat(
    ...([
      80,
      'send',
      'large.bin',
      '--receivers',
      '2',
      '--code',
      LONG_CODE,
      '--no-lan',
      '--port',
      `${port}`,
    ] as const),
    ...['--limit', '1M', '--no-receipt'],
  );
  await sender.says(/Waiting for 2 receivers/);
  const receivers = [40, 20].map((columns) =>
    seat(
      columns,
      'receive',
      LONG_CODE,
      '--at',
      `127.0.0.1:${port}`,
      '--yes',
      '--to',
      work.folder(`${columns}`),
    ),
  );
  for (const each of receivers)
    await each.until('progress', (rows) => rows.some((row) => /^ *[─━]* +\d+% /.test(row)));
  await sender.until('two lines', (rows) => rows.filter(isRow).length === 2 && rows.some(isWhole));

  // While it is paused only the new size lets it draw.
  sender.type('p');
  await sender.until(
    'both as paused',
    (rows) => rows.filter((row) => isRow(row) && /paused/.test(row)).length === 2,
  );
  const before = (await sender.terminal.lines()).filter((line) => !isStatus(line));
  for (const columns of [40, 20, 80, 20, 40, 80]) {
    sender.resize(columns);
    const rows = await sender.until(`a status of ${columns} columns`, (shown) => {
      const [first = '', second = '', whole = ''] = shown.slice(-3);
      const drawn = [first, second, whole].every((row) => row.length < columns);
      return sender.terminal.columns === columns && drawn && isRow(first) && isRow(second) && isWhole(whole);
    });
    assert.equal(rows.filter(isRow).length, 2, `at ${columns}:\n${rows.join('\n')}`);
    assert.equal(rows.filter(isWhole).length, 1, `at ${columns}:\n${rows.join('\n')}`);
    const lines = (await sender.terminal.lines()).filter((line) => !isStatus(line));
    assert.deepEqual(lines, before, `at ${columns}`);
  }
  sender.type('r');
  await sender.says(/^Resumed\.$/);

  // What was redrawn is gone at the end, and the cursor stands below what was said.
  for (const each of [...receivers, sender]) {
    each.type('\x03');
    assert.equal(await each.ended, 130);
    const rows = await each.terminal.shown();
    assert.ok(!rows.some((row) => /[─━]|\d%/.test(row)), rows.join('\n'));
    const count = (mark: string) => each.text.split(mark).length - 1;
    assert.equal(count('\x1b[?2026h'), count('\x1b[?2026l'));
  }
});

for (const [name, env, wanted] of [
  ['NO_COLOR', { NO_COLOR: '1' }, /^(?!.*\x1b\[3\d?m)/s],
  ['TERM=dumb', { TERM: 'dumb' }, /^[^\x1b]*$/],
] as const)
  test(`a transfer on a terminal with ${name} writes nothing that it should not`, {
    skip,
    timeout: 180_000,
  }, async (t) => {
    const work = workspace(t);
    writeFileSync(work.path('note.txt'), Buffer.alloc(3_000_000, 'note'));
    const port = await freePort();
    const send = ['send', 'note.txt', '--code', CODE, '--no-lan', '--port', `${port}`];
    const sender = new Seat(t, work, 40, send, env);
    await sender.says(/^Waiting for the other side/);
    const receive = ['receive', CODE, '--at', `127.0.0.1:${port}`, '--yes', '--to', work.folder('out')];
    const receiver = new Seat(t, work, 20, receive, env);
    for (const each of [receiver, sender]) {
      assert.equal(await each.ended, 0);
      assert.match(each.text, wanted);
      assert.ok((await each.terminal.lines()).some((line) => /^(Sent|Received) 1 file/.test(line)));
    }
  });
