/**
 * Allocations at a real coturn on loopback. LONG=1 runs five minutes against a nonce that lives 30 seconds, as an
 * owner might set it, instead of a few seconds against one of two.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BeelineError } from '../../src/base/errors.ts';
import { type Certificate, makeCertificate } from '../../src/identity/certificate.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { laneContext } from '../../src/secure/tls.ts';
import { turnCredentials } from '../../src/server/turn.ts';
import { dial } from '../../src/transports/tcp/dial.ts';
import { type Allocation, allocate, type TurnTiming } from '../../src/transports/turn/allocation.ts';
import { answers, freePort } from '../ports.ts';

const TURN = { kind: 'turn', relayed: true };

const long = process.env.LONG === '1';
const missing = whyNoCoturn();
const skip = missing !== undefined && !process.env.CI ? missing : false;
const SECRET = 'not a secret';
const MiB = 2 ** 20;

function whyNoCoturn(): string | undefined {
  try {
    execFileSync('turnserver', ['--version'], { timeout: 10_000, stdio: 'ignore' });
    return undefined;
  } catch (error) {
    return `no coturn here: ${error instanceof Error ? error.message : error}`;
  }
}

interface Coturn {
  port: number;
  log(): string;
  stop(): Promise<void>;
}

async function startCoturn(...flags: string[]): Promise<Coturn> {
  const folder = mkdtempSync(join(tmpdir(), 'beeline-coturn-'));
  const port = await freePort();
  const log = join(folder, 'log');
  const words = [
    ...['-n', '-v', '--no-cli', '--no-udp', '--no-dtls', '--no-tls', '--allow-loopback-peers'],
    ...['--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${port}`],
    ...['--use-auth-secret', `--static-auth-secret=${SECRET}`, '--realm=lab'],
    ...[
      `--log-file=${log}`,
      '--simple-log',
      `--pidfile=${join(folder, 'pid')}`,
      `--userdb=${join(folder, 'db')}`,
    ],
    ...flags,
  ];
  const child: ChildProcess = spawn('turnserver', words, { stdio: 'ignore', cwd: folder });
  const ended = once(child, 'exit');
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; ; tries++) {
    if (await answers(port)) break;
    if (tries < 100 && child.exitCode === null) await sleep(100);
    else {
      await stop();
      throw new Error('coturn did not start');
    }
  }
  return { port, log: () => readFileSync(log, 'utf8'), stop };
}

/** Writes all of `bytes` into one end, and gives what `size` bytes at the other end hash to. */
function move(from: Pipe, to: Receiver, bytes: Uint8Array, times: number): Promise<string> {
  const arrived = to.next(bytes.length * times);
  let left = times;
  const write = (error?: Error | null): void => {
    if (error || left-- === 0) return;
    from.write(bytes, write);
  };
  write();
  return arrived;
}

/** The end that reads. */
class Receiver {
  readonly pipe: Pipe;
  #hash = createHash('sha256');
  #left = 0;
  #resolve: ((hash: string) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  constructor(pipe: Pipe) {
    this.pipe = pipe;
    pipe.start(
      (bytes) => {
        this.#hash.update(bytes);
        this.#left -= bytes.length;
        if (this.#left === 0) this.#resolve?.(this.#hash.digest('hex'));
        if (this.#left < 0) this.#reject?.(new Error('more than was sent'));
      },
      (error) => this.#reject?.(error ?? new Error('the pipe closed')),
    );
  }

  next(size: number): Promise<string> {
    this.#hash = createHash('sha256');
    this.#left = size;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }
}

function hashOf(bytes: Uint8Array, times: number): string {
  const hash = createHash('sha256');
  for (let i = 0; i < times; i++) hash.update(bytes);
  return hash.digest('hex');
}

describe('lab: TCP allocations at coturn', { skip, timeout: long ? 600_000 : 120_000 }, () => {
  const signal = new AbortController().signal;
  const undo: (() => unknown)[] = [];
  let ours: Certificate;
  let theirs: Certificate;

  before(async () => {
    assert.equal(missing, undefined);
    [ours, theirs] = await Promise.all([makeCertificate(), makeCertificate()]);
  });
  after(async () => {
    for (const each of undo.reverse()) await each();
  });

  async function sender(
    coturn: Coturn,
    {
      timing = {},
      user = 'sender',
      secret = SECRET,
    }: { timing?: Partial<TurnTiming>; user?: string; secret?: string } = {},
  ) {
    const credentials = turnCredentials({ urls: [`turn:127.0.0.1:${coturn.port}`], secret });
    const accepted: { pipe: Pipe; fingerprint: string }[] = [];
    const waiting: (() => void)[] = [];
    const lost: BeelineError[] = [];
    const allocation = await allocate({
      rendezvous: '127.0.0.1',
      server: credentials(user),
      context: laneContext(ours.cert, ours.key),
      onPipe: (pipe, fingerprint) => {
        accepted.push({ pipe, fingerprint });
        waiting.shift()?.();
      },
      onLost: (error) => lost.push(error),
      signal,
      timing,
    });
    undo.push(() => allocation.close());
    return { allocation, accepted, lost };
  }

  function receiver(allocation: Allocation): Promise<Pipe> {
    return dial(allocation.relayed, laneContext(theirs.cert, theirs.key), ours.fingerprint, signal, TURN);
  }

  async function lane(side: Awaited<ReturnType<typeof sender>>): Promise<{ from: Pipe; to: Receiver }> {
    const before = side.accepted.length;
    const to = await receiver(side.allocation);
    for (let tries = 0; side.accepted.length === before && tries < 500; tries++) await sleep(10);
    const from = side.accepted[before]!;
    assert.equal(from.fingerprint, theirs.fingerprint);
    assert.equal(from.pipe.kind, 'turn');
    assert.equal(to.kind, 'turn');
    from.pipe.start(
      () => {},
      () => {},
    );
    return { from: from.pipe, to: new Receiver(to) };
  }

  it('carries bytes both ways, intact, to a peer that just dials', async () => {
    const coturn = await startCoturn();
    undo.push(coturn.stop);
    const side = await sender(coturn);
    assert.equal(side.allocation.relayed.host, '127.0.0.1');
    assert.equal(side.allocation.mapped.host, '127.0.0.1');
    await side.allocation.permit(['127.0.0.1']);
    const { from, to } = await lane(side);
    const block = new Uint8Array(randomBytes(MiB));
    const started = performance.now();
    assert.equal(await move(from, to, block, 32), hashOf(block, 32));
    const seconds = (performance.now() - started) / 1000;
    console.log(`32 MiB through coturn and TLS on loopback: ${((32 * MiB) / 1e6 / seconds).toFixed(0)} MB/s`);
    to.pipe.destroy();
    const closed = await receiver(side.allocation);
    closed.destroy();
    await side.allocation.close();
    await assert.rejects(receiver(side.allocation), { name: 'BeelineError' });
    assert.deepEqual(side.lost, []);
  });

  it('outlives the nonce again and again, with bytes flowing and new lanes coming', async () => {
    const life = long ? 30 : 2;
    const coturn = await startCoturn(`--stale-nonce=${life}`);
    undo.push(coturn.stop);
    // One is only refreshed (long: as in production, permissions at 4 minutes and the allocation at 5), the other is
    // given new lanes: each must be bound with a fresh nonce, or coturn forgets it.
    const still = await sender(coturn, { timing: long ? {} : { refresh: 500 }, user: 'still' });
    const busy = await sender(coturn, { user: 'busy' });
    const stale = (user: string) =>
      coturn.log().match(new RegExp(`user <\\d+:${user}>.*error 438`, 'g'))?.length ?? 0;
    const enough = () => !long && stale('still') >= 3 && stale('busy') >= 3;
    await Promise.all([still, busy].map(({ allocation }) => allocation.permit(['127.0.0.1'])));
    const lanes = [await lane(still), await lane(busy)];
    const block = new Uint8Array(randomBytes(64 * 1024));
    const expected = hashOf(block, 4);
    const began = performance.now();
    const elapsed = () => (performance.now() - began) / 1000;
    let [rounds, opened, slowest] = [0, 2, 0];
    for (; elapsed() < (long ? 310 : 40) && !enough(); rounds++) {
      for (const { from, to } of lanes) {
        const started = performance.now();
        assert.equal(await move(from, to, block, 4), expected);
        slowest = Math.max(slowest, performance.now() - started);
      }
      if (rounds % (long ? 310 : 25) === 24) {
        lanes.pop()!.to.pipe.destroy();
        lanes.push(await lane(busy));
        opened++;
      }
      await sleep(100);
    }
    console.log(
      `in ${elapsed().toFixed(0)} s, at nonces of ${life} s: ${stale('still')} and ${stale('busy')} stale ones, ` +
        `${opened} lanes opened, ${rounds / 2} MiB moved, the slowest 256 KiB in ${slowest.toFixed(0)} ms`,
    );
    assert.deepEqual([...still.lost, ...busy.lost], []);
    assert.ok(stale('still') >= (long ? 2 : 3), 'nonces went stale between refreshes');
    assert.ok(stale('busy') >= 3, 'nonces went stale between lanes');
  });

  it('keeps its permissions beyond their life', async () => {
    const coturn = await startCoturn('--permission-lifetime=2');
    undo.push(coturn.stop);
    const renewed = await sender(coturn, { timing: { renew: 1_000 } });
    const expiring = await sender(coturn);
    const permit = (side: typeof renewed) => side.allocation.permit(['127.0.0.1']);
    await permit(renewed);
    // The lives are short, and a busy machine may miss them.
    const patiently = async (side: typeof renewed, before: () => Promise<void>) => {
      for (let tries = 0; ; tries++) {
        await before();
        const failed = await lane(side).then(
          () => undefined,
          (error) => error,
        );
        if (failed === undefined) return;
        if (tries === 9) throw failed;
        await sleep(500);
      }
    };
    await patiently(expiring, () => permit(expiring));
    await sleep(5_000);
    await patiently(renewed, async () => {});
    await assert.rejects(receiver(expiring.allocation), { code: 'NO_PATH' });
  });

  it('one peer that the server forbids does not keep out the others', async () => {
    const coturn = await startCoturn('--denied-peer-ip=10.0.0.0-10.255.255.255');
    undo.push(coturn.stop);
    const side = await sender(coturn);
    await assert.rejects(receiver(side.allocation), { code: 'NO_PATH' }, 'nobody is permitted yet');
    await side.allocation.permit(['10.1.2.3', 'fe80::1', '::ffff:127.0.0.1', 'not-an-address']);
    assert.match(coturn.log(), /CREATE_PERMISSION.*error 403/);
    await lane(side);
  });

  it('hears that the server is gone, and says who refuses', async () => {
    const coturn = await startCoturn('--user-quota=1');
    undo.push(coturn.stop);
    const side = await sender(coturn);
    await assert.rejects(sender(coturn), /486/);
    await coturn.stop();
    for (let tries = 0; side.lost.length === 0 && tries < 500; tries++) await sleep(10);
    assert.deepEqual(
      side.lost.map(({ code }) => code),
      ['NO_PATH'],
    );
    await assert.rejects(sender(coturn), { code: 'NO_PATH' });
    const noTcp = await startCoturn('--no-tcp-relay');
    undo.push(noTcp.stop);
    await assert.rejects(sender(noTcp), /442.*TCP allocations/);
    const other = await startCoturn();
    undo.push(other.stop);
    await assert.rejects(sender(other, { secret: 'another' }), /401.*secret/);
  });
});
