/** The command against servers that are really used, killed at any moment: what is there at the end is the file, and little came twice. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { until } from '../../node/files/helpers.ts';
import { answers, freePort } from '../../ports.ts';
import { randomFrom, seed } from '../../seed.ts';
import { content, folder, names, sha256 } from './servers.ts';

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const MiB = 1024 * 1024;
const LENGTH = 96 * MiB + 12_345;
/** What may come twice for a kill: what is not in the journal yet, and what is in buffers on the way. */
const LOST = 48 * MiB;

const listening = (port: number) => until(`something answers at port ${port}`, () => answers(port));

interface Real {
  readonly url: string;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** Bytes of bodies that it has sent. */
  sent(): number;
}

/** @param rate bytes a second of each connection, as nginx writes it */
async function nginx(t: TestContext, bytes: Buffer, rate: string): Promise<Real> {
  const home = folder(t);
  mkdirSync(join(home, 'www'));
  writeFileSync(join(home, 'www', 'file.bin'), bytes);
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    join(home, 'conf'),
    `daemon off; master_process off; pid ${home}/pid; error_log ${home}/error.log;
     events { worker_connections 128; }
     http { ${temporary.map((name) => `${name}_temp_path ${home}/${name};`).join(' ')}
       log_format sent '$body_bytes_sent'; access_log ${home}/sent.log sent;
       server { listen 127.0.0.1:${port}; root ${home}/www; limit_rate ${rate}; } }`,
  );
  let child: ChildProcess | undefined;
  const kill = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  t.after(kill);
  const start = async () => {
    child = spawn('nginx', ['-c', join(home, 'conf'), '-e', join(home, 'error.log')], { stdio: 'ignore' });
    await listening(port);
  };
  const sent = () =>
    readFileSync(join(home, 'sent.log'), 'utf8')
      .split('\n')
      .reduce((sum, line) => sum + Number(line), 0);
  await start();
  return { url: `http://127.0.0.1:${port}/file.bin`, start, kill, sent };
}

/** Bytes that are on the disk of what has not its name yet. */
function staged(to: string): number {
  const all = readdirSync(to, { recursive: true, withFileTypes: true });
  return all
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => statSync(join(parentPath, name), { throwIfNoEntry: false })?.blocks ?? 0)
    .reduce((sum, blocks) => sum + blocks * 512, 0);
}

interface Run {
  readonly child: ChildProcess;
  /** What it has said so far. */
  said(): string;
  readonly ended: Promise<{ status: number | null; stderr: string }>;
}

function receive(t: TestContext, url: string, to: string, ...more: string[]): Run {
  const args = [MAIN, 'receive', url, '--to', to, '--no-receipt', ...more];
  const env = { ...process.env, BEELINE_CONFIG_DIR: join(to, '..', 'config') };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr!.on('data', (text) => {
    stderr += text;
  });
  return { child, said: () => stderr, ended: once(child, 'close').then(([status]) => ({ status, stderr })) };
}

const have = (name: string) => spawnSync('which', [name]).status === 0;
const noNginx = !have('nginx') && 'needs nginx';
const noPython = !have('python3') && 'needs python3';

for (const turn of [1, 2, 3])
  test(`killed again and again beside nginx, it ends with the file (seed ${seed + turn})`, {
    skip: noNginx,
  }, async (t) => {
    const chance = randomFrom(seed + turn);
    const bytes = content(turn, LENGTH);
    const server = await nginx(t, bytes, '5m');
    const to = join(folder(t), 'to');
    mkdirSync(to);
    const more = turn === 2 ? ['--expect', sha256(bytes)] : turn === 3 ? ['--lanes', '3'] : [];
    let kills = 0;
    for (; ; kills++) {
      const { child, ended } = receive(t, server.url, to, ...more);
      const after = kills < 8 ? 300 + chance() * 2500 : 120_000;
      const first = await Promise.race([ended, delay(after, undefined, { ref: false })]);
      if (first) {
        assert.equal(first.status, 0, first.stderr);
        break;
      }
      child.kill('SIGKILL');
      await ended;
      assert.deepEqual(names(to), [], 'nothing half has its name');
    }
    assert.ok(readFileSync(join(to, 'file.bin')).equals(bytes));
    assert.deepEqual(names(to), ['file.bin']);
    // The log has the last answer a moment after its end.
    await delay(500);
    const twice = server.sent() - LENGTH;
    t.diagnostic(`${kills} kills; ${(twice / MiB).toFixed(1)} MiB came twice`);
    assert.ok(twice <= (kills + 1) * LOST, `${twice} bytes came twice`);
  });

test('a server that is killed and started again is waited for', { skip: noNginx }, async (t) => {
  const bytes = content(7, LENGTH);
  const server = await nginx(t, bytes, '4m');
  const to = join(folder(t), 'to');
  mkdirSync(to);
  const { ended, said } = receive(t, server.url, to);
  const times = (what: RegExp) => said().split(what).length - 1;
  for (const kills of [1, 2]) {
    const before = staged(to);
    await until('more has come', () => staged(to) > before + MiB);
    await server.kill();
    await until('it says that nothing comes', () => times(/The server does not send any more/) === kills);
    await server.start();
    await until('it says that something comes again', () => times(/Connected again/) === kills);
  }
  const { status, stderr } = await ended;
  assert.equal(status, 0, stderr);
  assert.ok(readFileSync(join(to, 'file.bin')).equals(bytes));
});

test('Python’s server has no ranges: what is here is not written again after a kill', {
  skip: noPython,
}, async (t) => {
  const home = folder(t);
  const bytes = content(8, 64 * MiB);
  writeFileSync(join(home, 'file.bin'), bytes);
  const port = await freePort();
  const server = spawn('python3', ['-m', 'http.server', String(port), '--bind', '127.0.0.1', '-d', home], {
    stdio: 'ignore',
  });
  t.after(() => server.kill('SIGKILL'));
  await listening(port);
  // So that the time of the file says which it is (RFC 9110, 8.8.2.2).
  await delay(2100);
  const to = join(folder(t), 'to');
  mkdirSync(to);
  const url = `http://127.0.0.1:${port}/file.bin`;
  const first = receive(t, url, to, '--limit', '8M');
  await until('a part has come', () => staged(to) > 16 * MiB);
  first.child.kill('SIGKILL');
  await first.ended;
  const { status, stderr } = await receive(t, url, to).ended;
  assert.equal(status, 0, stderr);
  assert.match(stderr, /is here already/);
  assert.ok(readFileSync(join(to, 'file.bin')).equals(bytes));
});
