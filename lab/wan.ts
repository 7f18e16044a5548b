/**
 * Two network namespaces joined by a wide-area link: delay, loss, a rate and a queue, made by lab/wan.c between two
 * TUN devices. Needs root, iproute2, gcc and /dev/net/tun. Nothing but the link leads anywhere.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Join } from './join.ts';
import { type Host, whyNoNamespaces } from './namespaces.ts';
import { type Counters, startEmulator } from './wan-process.ts';

/** Milliseconds that one `ip` command, and the compiler, may take. */
const IP_DEADLINE = 10_000;
const COMPILER_DEADLINE = 60_000;
/** Packets. A device drops what the emulator has not fetched yet; its own queue is to be the one that fills. */
const DEVICE_QUEUE = 10_000;
const MTU = 1500;

const SOURCE = fileURLToPath(new URL('./wan.c', import.meta.url));
const CACHE = fileURLToPath(new URL('../node_modules/.cache/beeline-lab', import.meta.url));

/** What each direction of the link is like. */
export interface WanOptions {
  /** One-way, milliseconds: half of the round trip. */
  delayMs: number;
  /** Probability, 0 to 1, that a packet is lost; default 0. */
  loss?: number;
  /** 10^6 bits of IP packets a second; default 1000. */
  rateMbit?: number;
  /** Milliseconds at that rate that a packet waits in the queue before it is dropped instead; default 100. */
  queueMs?: number;
  /** Of the losses; default 1. */
  seed?: number;
}

export interface Link {
  /** Of the emulator. */
  readonly pid: number;
  /** What has gone from the first side to the second so far, and back. Rejects once the link is gone. */
  counters(): Promise<readonly [Counters, Counters]>;
  /** Ends the link and removes what was made for it. Safe to call twice. */
  remove(): void;
}

export interface Wan extends Link {
  readonly left: Host;
  readonly right: Host;
}

/** Why no link can be made here, or undefined when one can. */
export function whyNoWan(): string | undefined {
  const missing = whyNoNamespaces();
  if (missing !== undefined) return missing;
  if (!existsSync('/dev/net/tun')) return 'a wide-area link needs /dev/net/tun';
  try {
    program();
  } catch (error) {
    return `lab/wan.c could not be compiled: ${error instanceof Error ? error.message : error}`;
  }
  return undefined;
}

/** Makes two hosts, 10.88.0.1 and 10.88.0.2. Rejects, with nothing left behind, when that fails. */
export async function makeWan(options: WanOptions & { congestion?: string }): Promise<Wan> {
  const left = host('left', 1);
  const right = host('right', 2);
  let link: Link | undefined;
  const remove = (): void => {
    link?.remove();
    for (const { namespace } of [left, right]) attempt('netns', 'del', namespace);
  };
  try {
    for (const { namespace } of [left, right]) {
      ip('netns', 'add', namespace);
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
    }
    link = await joinByWan(left.namespace, 'wan0', right.namespace, 'wan0', options);
    for (const one of [left, right]) address(one, options.congestion ?? 'cubic');
  } catch (error) {
    remove();
    throw error;
  }
  return { left, right, pid: link.pid, counters: link.counters, remove };
}

/** For the lab's internet: links with a delay (one-way, milliseconds) instead of plain wires. */
export function distant(delayMs: number): Join {
  return async (a, b) => {
    const link = await joinByWan(a.namespace, a.device, b.namespace, b.device, { delayMs });
    return () => link.remove();
  };
}

/**
 * Joins two namespaces that exist by a pair of new TUN devices, up but without addresses. Rejects, with no device
 * left behind, when that fails.
 */
export async function joinByWan(
  namespaceA: string,
  deviceA: string,
  namespaceB: string,
  deviceB: string,
  options: WanOptions,
): Promise<Link> {
  const { delayMs, loss = 0, rateMbit = 1000, queueMs = 100, seed = 1 } = options;
  const numbers = [delayMs * 1000, loss, rateMbit * 1e6, queueMs * 1000, seed];
  const ends = [namespaceA, deviceA, namespaceB, deviceB];
  const emulator = await startEmulator(program(), [...ends, ...numbers.map(String)]);
  const remove = (): void => {
    emulator.end();
    // The devices go with their process, but only soon, and somebody may want the names at once.
    attempt('-n', namespaceA, 'link', 'del', deviceA);
    attempt('-n', namespaceB, 'link', 'del', deviceB);
  };
  try {
    const like = ['mtu', String(MTU), 'txqueuelen', String(DEVICE_QUEUE), 'up'];
    ip('-n', namespaceA, 'link', 'set', deviceA, ...like);
    ip('-n', namespaceB, 'link', 'set', deviceB, ...like);
  } catch (error) {
    remove();
    throw error;
  }
  return { pid: emulator.pid, counters: emulator.counters, remove };
}

/** Compiles the emulator unless this version of it is there already; gives its path. */
function program(): string {
  const version = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 16);
  const path = join(CACHE, `wan-${version}`);
  if (existsSync(path)) return path;
  mkdirSync(CACHE, { recursive: true });
  // Under a name of its own first: another process may be compiling, or starting the finished one.
  const made = `${path}.${process.pid}`;
  try {
    execFileSync('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', '-o', made, SOURCE], {
      timeout: COMPILER_DEADLINE,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    renameSync(made, path);
  } finally {
    rmSync(made, { force: true });
  }
  return path;
}

/** Gives a host its addresses, and its routes over the link a congestion control. */
function address({ namespace, address, address6 }: Host, congestion: string): void {
  ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'wan0');
  ip('-n', namespace, 'addr', 'add', `${address6}/64`, 'dev', 'wan0', 'nodad');
  const how = ['dev', 'wan0', 'proto', 'kernel', 'congctl', congestion];
  ip('-n', namespace, 'route', 'replace', '10.88.0.0/24', ...how, 'scope', 'link', 'src', address);
  ip('-n', namespace, '-6', 'route', 'replace', 'fd88::/64', ...how, 'metric', '256');
}

function host(side: string, number: number): Host {
  const namespace = `beeline-wan-${side}-${process.pid}-${randomBytes(3).toString('hex')}`;
  return {
    namespace,
    address: `10.88.0.${number}`,
    address6: `fd88::${number}`,
    prefix: ['ip', 'netns', 'exec', namespace],
  };
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { timeout: IP_DEADLINE, stdio: ['ignore', 'ignore', 'pipe'] });
}

function attempt(...args: string[]): void {
  try {
    ip(...args);
  } catch {
    // It was never made, or is gone already.
  }
}
