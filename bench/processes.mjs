/** Child processes with deadlines: started, timed, measured, and ended by their ids whatever happens. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HOOK = fileURLToPath(new URL('./usage.cjs', import.meta.url));
/** Longest output kept of a child, in characters. */
const MAX_OUTPUT = 4 << 20;
/** Milliseconds that any one timed command may take. */
export const DEADLINE = 600_000;

const running = new Set();
process.on('exit', endAll);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    endAll();
    process.exit(130);
  });
}

/** Kills every child still running. */
export function endAll() {
  for (const child of running) child.kill('SIGKILL');
}

/**
 * Starts a command. `exited` resolves once with { status, seconds, stdout, stderr }; past `deadline` milliseconds
 * the child is killed and its status is 'deadline'.
 */
export function start(command, args, { env = {}, deadline = DEADLINE, onLine } = {}) {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  running.add(child);
  let stdout = '';
  let stderr = '';
  let read = 0;
  child.stdout.setEncoding('utf8').on('data', (part) => {
    if (stdout.length < MAX_OUTPUT) stdout += part;
    if (!onLine) return;
    for (let end = stdout.indexOf('\n', read); end >= 0; end = stdout.indexOf('\n', read)) {
      onLine(stdout.slice(read, end));
      read = end + 1;
    }
  });
  child.stderr.setEncoding('utf8').on('data', (part) => {
    if (stderr.length < MAX_OUTPUT) stderr += part;
  });
  const exited = new Promise((resolve) => {
    let seconds = 0;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, deadline);
    child.on('exit', () => {
      seconds = (performance.now() - started) / 1000;
    });
    const end = (status) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ status, seconds, stdout, stderr });
    };
    child.on('error', (error) => {
      stderr += error.message;
      end('not started');
    });
    child.on('close', (code, signal) => end(late ? 'deadline' : (code ?? signal)));
  });
  return { pid: child.pid, exited, kill: (signal = 'SIGTERM') => child.kill(signal) };
}

/** Runs a command to its end and throws, with the end of what it printed, unless it exits 0. */
export async function run(command, args, options) {
  const ended = await start(command, args, options).exited;
  if (ended.status !== 0) throw new Error(failure(`${command} ${args.join(' ')}`, ended));
  return ended;
}

export function failure(what, { status, stdout, stderr }) {
  return `${what} ended with ${status}.\n${stdout.slice(-2000)}${stderr.slice(-2000)}`.trim();
}

/**
 * Starts a Node script with the hook that measures it; `usage()` reads { cpu, rss } after its exit. `options.prefix` are words before
 * the command, such as `ip netns exec NAME`.
 */
export function startMeasured(work, name, script, args, { prefix = [], ...options } = {}) {
  const file = join(work, `usage-${name}.json`);
  const [command, ...rest] = [...prefix, process.execPath, '--require', HOOK, script, ...args];
  const started = start(command, rest, {
    ...options,
    env: { ...options.env, BENCH_USAGE: file },
  });
  return { ...started, usage: () => JSON.parse(readFileSync(file, 'utf8')) };
}

/** CPU seconds that a process and its reaped descendants have used; undefined without /proc. */
export function cpuOf(pid, { own = true } = {}) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // proc(5): utime, stime, cutime, cstime are fields 14 to 17, in ticks of 1/100 s on every Linux in use.
    const ticks = fields.slice(own ? 11 : 13, 15).reduce((sum, field) => sum + Number(field), 0);
    return ticks / 100;
  } catch {
    return undefined;
  }
}

/** A TCP port that was free on loopback a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** The first promise's value, or undefined once `milliseconds` have passed. */
export async function within(milliseconds, ...promises) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    return await Promise.race([...promises, late]);
  } finally {
    clearTimeout(timer);
  }
}

export const delay = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
