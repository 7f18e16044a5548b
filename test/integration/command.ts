/** The built command as real processes: started, watched by their `--json` lines, ended by id, all with deadlines. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const USAGE_HOOK = fileURLToPath(new URL('../../bench/usage.cjs', import.meta.url));
/** Output kept of one process, in bytes; more fails the test. */
const MAX_OUTPUT = 64 << 20;

/** Commands that end when they are told to. */
const STANDING: ReadonlySet<string> = new Set(['server', 'listen', 'serve', 'outbox']);

/** One `--json` line. */
export type Line = { event: string } & Record<string, unknown>;

export interface StartOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** Written to standard input, which is then closed; absent: standard input is empty. */
  stdin?: string | Uint8Array | Readable;
  /** Words before the command, such as `ip netns exec NAME`. */
  prefix?: readonly string[];
  /** Milliseconds until the process is killed and the test fails; default 120,000, and 600,000 for what stands while others work. */
  deadline?: number;
  /** A folder in which the process leaves what it used, for `usage`. */
  measure?: string;
  /** False: standard output is the payload, not events. */
  json?: boolean;
  /** True: standard output is only counted, in `bytes`, not kept; its reader may pause it. */
  sink?: boolean;
}

export interface Ended {
  /** Exit code, or the signal's name. */
  status: number | string;
  stdout: Buffer;
  stderr: string;
  events: Line[];
}

interface Waiter {
  wanted: (line: Line) => boolean;
  found: (line: Line) => void;
}

export class Command {
  readonly exited: Promise<Ended>;
  readonly events: Line[] = [];
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #what: string;
  readonly #waiters = new Set<Waiter>();
  readonly #measured: string | undefined;
  readonly #stdout: Buffer[] = [];
  readonly #sink: boolean;
  #bytes = 0;
  #stderr = '';

  constructor(args: readonly string[], options: StartOptions = {}) {
    assert.ok(existsSync(COMMAND), 'dist/cli/main.js is missing: run `npm run build` first.');
    this.#what = `beeline ${args.join(' ')}`;
    const json = options.json ?? true;
    this.#sink = options.sink ?? false;
    // Nothing of a test leaves its machine unless it names a DHT of its own.
    const env: NodeJS.ProcessEnv = { ...process.env, BEELINE_DHT: 'off', ...options.env };
    const node = [process.execPath];
    if (options.measure !== undefined) {
      this.#measured = join(options.measure, `usage-${crypto.randomUUID()}.json`);
      env.BENCH_USAGE = this.#measured;
      node.push('--require', USAGE_HOOK);
    }
    const [program = '', ...rest] = [...(options.prefix ?? []), ...node, COMMAND, ...args];
    if (json) rest.push('--json');
    this.#child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'], env, cwd: options.cwd });
    this.#feed(options.stdin);
    this.#watch(json);
    this.exited = this.#end(options.deadline ?? (STANDING.has(args[0] ?? '') ? 600_000 : 120_000));
  }

  /** Resolves with the first event that fits (also one already seen); fails when the process ends without it. */
  async until(wanted: string | ((line: Line) => boolean), deadline = 60_000): Promise<Line> {
    const fits = typeof wanted === 'string' ? (line: Line) => line.event === wanted : wanted;
    const seen = this.events.find(fits);
    if (seen) return seen;
    const waiter: Waiter = { wanted: fits, found: () => {} };
    const found = new Promise<Line>((resolve) => {
      waiter.found = resolve;
    });
    this.#waiters.add(waiter);
    const early = this.exited.then((ended) => this.events.find(fits) ?? ended);
    try {
      const first = await within(deadline, found, early);
      if (first !== undefined && 'event' in first) return first;
      assert.fail(
        `${this.#what}: no ${String(wanted)} ${first ? 'before it ended' : 'in time'}.\n${this.#said()}`,
      );
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  /** What it said last. */
  account(): string {
    const lines = this.events.slice(-12).map((line) => `  ${JSON.stringify(line)}`);
    return [this.#what, ...lines].join('\n');
  }

  /** Waits for the end and asserts the exit status, and that nothing but events stood on standard output. */
  async ends(status: number): Promise<Ended> {
    const ended = await this.exited;
    const stray = ended.events.find((line) => line.event === 'not JSON');
    assert.equal(stray, undefined, `${this.#what} printed ${JSON.stringify(stray)} on standard output.`);
    assert.equal(ended.status, status, `${this.#what} ended with ${ended.status}.\n${this.#said()}`);
    return ended;
  }

  /** After the end: CPU seconds and peak resident bytes; needs `measure`. */
  usage(): { cpu: number; rss: number } {
    assert.ok(this.#measured, 'Start it with `measure`.');
    return JSON.parse(readFileSync(this.#measured, 'utf8'));
  }

  /** Bytes of standard output so far. */
  get bytes(): number {
    return this.#bytes;
  }

  get stdout(): Readable {
    return this.#child.stdout;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it at once, if it still runs, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  #feed(stdin: StartOptions['stdin']): void {
    // The command may end before it has read all: that is for its exit code to tell.
    this.#child.stdin.on('error', () => {});
    if (stdin === undefined) this.#child.stdin.end();
    else if (typeof stdin === 'string' || stdin instanceof Uint8Array) this.#child.stdin.end(stdin);
    else stdin.pipe(this.#child.stdin);
  }

  #watch(json: boolean): void {
    let text = '';
    this.#child.stdout.on('data', (part: Buffer) => {
      this.#bytes += part.length;
      if (this.#sink) return;
      if (this.#bytes > MAX_OUTPUT) return this.#child.kill('SIGKILL');
      this.#stdout.push(part);
      if (!json) return;
      // A line is split only at \n, so a character cut in two by a read is whole again here.
      text += part.toString('latin1');
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        this.#take(Buffer.from(text.slice(0, end), 'latin1').toString('utf8'));
        text = text.slice(end + 1);
      }
    });
    this.#child.stderr.setEncoding('utf8').on('data', (part: string) => {
      if (this.#stderr.length < MAX_OUTPUT) this.#stderr += part;
    });
  }

  #take(line: string): void {
    let parsed: Line;
    try {
      parsed = JSON.parse(line) as Line;
    } catch {
      // The contract: nothing but events on standard output. `ends` fails on this one.
      parsed = { event: 'not JSON', line };
    }
    this.events.push(parsed);
    for (const waiter of this.#waiters) if (waiter.wanted(parsed)) waiter.found(parsed);
  }

  #end(deadline: number): Promise<Ended> {
    return new Promise((resolve) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        this.#child.kill('SIGKILL');
      }, deadline);
      const end = (status: number | string): void => {
        clearTimeout(timer);
        resolve({ status, stdout: Buffer.concat(this.#stdout), stderr: this.#stderr, events: this.events });
      };
      this.#child.on('error', (error) => end(error.message));
      this.#child.on('close', (code, signal) => end(late ? 'deadline' : (code ?? signal ?? 'unknown')));
    });
  }

  #said(): string {
    const events = this.events.slice(-15).map((event) => JSON.stringify(event));
    return [...events, this.#stderr.slice(-3000)].join('\n');
  }
}

/** The first promise's value, or undefined once `milliseconds` have passed. */
export async function within<T>(milliseconds: number, ...promises: Promise<T>[]): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, milliseconds, undefined);
  });
  try {
    return await Promise.race([...promises, late]);
  } finally {
    clearTimeout(timer);
  }
}
