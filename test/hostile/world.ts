/** What these tests have in common: a folder with something outside the destination, a receiver, and how it ended. */
import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { BeelineError } from '../../src/base/errors.ts';
import type { ReceiveOptions, SendOptions, Transfer, TransferEvent } from '../../src/node/api.ts';
import { receive } from '../../src/node/receive.ts';
import { send } from '../../src/node/send.ts';
import { badSender, CODE, type Script } from './bad-sender.ts';

/** Milliseconds after which a test has hung. */
export const LIMIT = { timeout: 300_000 };
export const posix = {
  ...LIMIT,
  skip: process.platform === 'win32' && 'Windows has other rules for names, links and modes',
};

export interface World {
  /** The test's folder. */
  dir: string;
  /** The destination, which is there and empty. */
  to: string;
  /** A folder beside it with a file in it that nobody may touch. */
  outside: string;
}

export function world(t: TestContext): World {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'beeline-hostile-')));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const [to, outside] = [join(dir, 'to'), join(dir, 'outside')];
  mkdirSync(to);
  mkdirSync(outside);
  writeFileSync(join(outside, 'precious'), 'precious');
  return { dir, to, outside };
}

/** Everything below a folder: kind, and content or target. */
export function tree(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(root)) {
    const path = join(root, name);
    const stat = lstatSync(path);
    if (stat.isSymbolicLink()) found[name] = `-> ${readlinkSync(path)}`;
    else if (!stat.isDirectory())
      found[name] = stat.size > 1000 ? `${stat.size} bytes` : readFileSync(path, 'utf8');
    else {
      found[name] = '/';
      for (const [below, what] of Object.entries(tree(path))) found[`${name}/${below}`] = what;
    }
  }
  return found;
}

/**
 * Nothing beside the destination has changed, and what a failed transfer keeps for a later run is for this user only.
 * @param kept whether it may keep anything: what arrived before it failed
 */
export function assertConfined({ dir, to, outside }: World, kept = false): void {
  assert.deepEqual(tree(outside), { precious: 'precious' });
  assert.deepEqual(readdirSync(dir).sort(), ['outside', 'to']);
  for (const name of readdirSync(to).filter((name) => name.startsWith('.beeline-'))) {
    assert.ok(kept, `${name} was left behind`);
    assert.equal(lstatSync(join(to, name)).mode & 0o777, 0o700);
  }
}

/** The error that a transfer ends with; undefined if it succeeds. */
export const failure = (transfer: Transfer): Promise<BeelineError | undefined> =>
  transfer.done.then(
    () => undefined,
    (error) => error,
  );

/** Its code; '' if it succeeds. */
export const ending = async (transfer: Transfer): Promise<string> => (await failure(transfer))?.code ?? '';

export function until<E extends TransferEvent['event']>(transfer: Transfer, name: E) {
  return new Promise<TransferEvent & { event: E }>((resolve) => {
    transfer.subscribe((event) => {
      if (event.event === name) resolve(event as TransferEvent & { event: E });
    });
  });
}

/** A real receiver that meets a hostile sender. */
export async function meet(t: TestContext, script: Script, options: Partial<ReceiveOptions>) {
  const sender = await badSender(t, script);
  const receiver = receive({ accept: 'all', lan: false, code: CODE, at: sender.at, ...options });
  t.after(() => receiver.cancel());
  return { sender, receiver };
}

/** A real sender that can be found at its port, and the way to join it; cancelled behind the test. */
export async function realSender(t: TestContext, path: string, options: SendOptions = {}) {
  const sender = send([path], { lan: false, code: CODE, at: '127.0.0.1:0', ...options });
  t.after(() => sender.cancel());
  const { port } = await until(sender, 'listening');
  const join = (more: Partial<ReceiveOptions> = {}) => {
    const receiver = receive({ accept: 'all', lan: false, code: CODE, at: `127.0.0.1:${port}`, ...more });
    t.after(() => receiver.cancel());
    return receiver;
  };
  return { sender, port, join };
}

/** Makes timers of exactly `from` milliseconds run after `to`, while a test runs: for deadlines that are constants. */
export function shorten(t: TestContext, from: number, to: number): () => void {
  const real = globalThis.setTimeout;
  const short = (work: (...args: unknown[]) => void, after?: number, ...args: unknown[]) =>
    real(work, after === from ? to : after, ...args);
  const { mock } = t.mock.method(globalThis, 'setTimeout', Object.assign(short, real));
  return () => mock.restore();
}

/** Timers of `after` milliseconds that begin from now on run out when the function that is returned is called, and not before. */
export function holdBack(t: TestContext, after: number): () => void {
  const { setTimeout: begin, clearTimeout: clear } = globalThis;
  const held = new Map<unknown, () => void>();
  const hold = (work: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    const timer = begin(work, ms, ...args);
    if (ms === after) held.set(timer, () => work(...args));
    return timer;
  };
  t.mock.method(globalThis, 'setTimeout', Object.assign(hold, begin));
  t.mock.method(globalThis, 'clearTimeout', (timer: NodeJS.Timeout | undefined) => {
    held.delete(timer);
    clear(timer);
  });
  return () => {
    for (const [timer, work] of [...held]) {
      held.delete(timer);
      clear(timer as NodeJS.Timeout);
      work();
    }
  };
}

/** Runs work on each item, a few at a time. */
export async function each<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  atOnce = 4,
): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
