/** Three `beeline server --redis` behind nginx, with Debian's redis-server: commands meet, and go on whatever of it dies. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { startNginx } from '../nginx.ts';
import { freePort } from '../ports.ts';
import { NO_REDIS, startRedis } from '../redis.ts';
import { randomFrom, seed } from '../seed.ts';
import type { Command } from './command.ts';
import { errorCode, workspace } from './workspace.ts';

const missing = NO_REDIS || whyNoNginx();
const skip = missing && !process.env.CI ? missing : false;
const INSTANCES = 3;
const SIZE = 48_000_000;
const LIMIT = '2M';

function whyNoNginx(): string | false {
  try {
    execFileSync('nginx', ['-v'], { timeout: 10_000, stdio: 'ignore' });
    return false;
  } catch {
    return 'nginx is not installed';
  }
}

async function cluster(t: TestContext) {
  const work = workspace(t);
  const redis = await startRedis('a-secret');
  t.after(() => redis.close());
  const ports: number[] = [];
  for (let i = 0; i < INSTANCES; i++) ports.push(await freePort());
  const front = await freePort();
  const instances: Command[] = [];
  const metrics: string[] = [];
  const start = async (i: number) => {
    const port = ports[i]!;
    instances[i] = work.start(
      [
        ...['server', '--host', '127.0.0.1', '--port', String(port), '--trust-proxy', '--no-stun'],
        ...['--public-url', `http://127.0.0.1:${port}`, '--metrics', '127.0.0.1:0'],
      ],
      { env: { BEELINE_REDIS_URL: redis.url }, deadline: 300_000 },
    );
    metrics[i] = String((await instances[i].until('listening')).metrics);
  };
  await Promise.all(ports.map((_, i) => start(i)));
  const upstream = ports.map((port) => `server 127.0.0.1:${port} max_fails=0;`).join(' ');
  const site = `
    upstream beeline { ${upstream} }
    server {
      listen 127.0.0.1:${front};
      location / {
        proxy_pass http://beeline;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_next_upstream error timeout;
        proxy_connect_timeout 2s;
      }
    }`;
  const stop = await startNginx(work.folder('nginx'), site, front);
  t.after(stop);
  return { work, redis, metrics, instances, start, url: `http://127.0.0.1:${front}` };
}

type Cluster = Awaited<ReturnType<typeof cluster>>;

async function pair({ work, url }: Cluster, name: string, ...more: string[]) {
  const file = work.path(name);
  makeFile(file, more.length > 0 ? SIZE : 1_000_000);
  const sender = work.start(['send', file, '--server', url, '--no-lan', ...more]);
  const { code } = await sender.until('code');
  const to = work.folder(`out-${name}`);
  const relay = more.filter((word) => !/^(--limit|\d+M)$/.test(word));
  const receiver = work.start([
    'receive',
    String(code),
    '--server',
    url,
    '--no-lan',
    '--yes',
    '--to',
    to,
    ...relay,
  ]);
  const done = async () => {
    await Promise.all([sender.ends(0), receiver.ends(0)]);
    sameFile(file, `${to}/${name}`);
  };
  return { sender, receiver, done };
}

/** Bytes that have come. */
const come = (receiver: Command) =>
  Math.max(
    0,
    ...receiver.events.flatMap(({ event, bytes }) => (event === 'progress' ? [Number(bytes)] : [])),
  );

async function moves(receiver: Command, beyond: number): Promise<void> {
  await receiver.until(({ event, bytes }) => event === 'progress' && Number(bytes) > beyond);
}

/** The instance that carries a lane. It is asked by its metrics: a lane that came by nginx names nginx. */
async function carrier({ metrics }: Cluster): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const told = await Promise.all(metrics.map(async (url) => (await fetch(url)).text()));
    const found = told.findIndex((text) => /^beeline_relay_pairs [1-9]/m.test(text));
    if (found >= 0) return found;
    await sleep(50);
  }
  assert.fail('no instance carries a lane');
}

describe('integration: several instances of a server', { skip }, () => {
  it('peers meet whichever each reaches, with and without a relay', async (t) => {
    const all = await cluster(t);
    const names = ['one', 'two', 'three', 'four', 'five', 'six'];
    await Promise.all(names.map(async (name) => (await pair(all, name)).done()));
    await Promise.all(
      ['seven', 'eight'].map(async (name) =>
        (await pair(all, name, '--relay', 'only', '--limit', '20M')).done(),
      ),
    );
    await Promise.all(
      all.instances.map(async (instance) => {
        instance.signal('SIGTERM');
        await instance.ends(0);
      }),
    );
    const left = all.redis.command('KEYS', '*:live').concat(all.redis.command('KEYS', '*:instances'));
    assert.equal(left, '', 'an instance that ends leaves the list');
  });

  it('an instance dies: its relayed lanes are replaced, again and again', async (t) => {
    const random = randomFrom(seed);
    const all = await cluster(t);
    const { sender, receiver, done } = await pair(all, 'one', '--relay', 'only', '--limit', LIMIT);
    for (let round = 0; round < 3; round++) {
      await moves(receiver, come(receiver) + 500_000);
      const chosen = round === 0 ? await carrier(all) : Math.floor(random() * INSTANCES);
      await all.instances[chosen]!.kill();
      const before = come(receiver);
      const began = performance.now();
      // What was under way when it died still comes.
      await moves(receiver, before + 600_000);
      const took = performance.now() - began;
      t.diagnostic(`instance ${chosen} killed: ${Math.round(took)} ms until 600 kB more had come`);
      await all.start(chosen);
    }
    await done();
    assert.ok(sender.events.every(({ event }) => event !== 'error'));
  });

  it('Redis is gone: what runs goes on, who comes is told why, and it comes back by itself', async (t) => {
    const all = await cluster(t);
    const { receiver, done } = await pair(all, 'one', '--relay', 'only', '--limit', LIMIT);
    await moves(receiver, 500_000);
    await all.redis.kill();
    await moves(receiver, come(receiver) + 4_000_000);
    const refused = await all.work
      .start([
        'receive',
        '7-velvet-canyon',
        '--server',
        all.url,
        '--no-lan',
        '--yes',
        '--to',
        all.work.folder('no'),
      ])
      .ends(6);
    assert.equal(errorCode(refused), 'SERVER');
    const error = refused.events.find(({ event }) => event === 'error')!;
    assert.equal(error.reason, 'SERVER_STORE_AWAY', JSON.stringify(error));
    await all.redis.start();
    await done();
    for (let tries = 0; ; tries++) {
      try {
        await (await pair(all, `after-${tries}`)).done();
        break;
      } catch (thrown) {
        if (tries === 5) throw thrown;
        await sleep(1_000);
      }
    }
  });
});
