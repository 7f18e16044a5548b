/** The store in Redis: the contract, with Debian's redis-server; what happens when that dies, hangs or lies. */
import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { SILENT } from '../../src/server/log.ts';
import { type MeetingStore, pairName } from '../../src/server/meeting-store.ts';
import { openRedisStore } from '../../src/server/redis-store.ts';
import { NO_REDIS, type RedisServer, startRedis } from '../redis.ts';
import { listen, storeContract } from './store-contract.ts';

type OpenOptions = { url?: string; load?: () => number; redis?: string };

async function world(password = '') {
  const redis = await startRedis(password);
  const stores: MeetingStore[] = [];
  return {
    redis,
    async open({ url, load = () => 0, redis: at = redis.url }: OpenOptions = {}) {
      const store = await openRedisStore({ url: at, publicUrl: url, load, log: SILENT });
      stores.push(store);
      return store;
    },
    async close() {
      await Promise.all(stores.map((store) => store.close()));
      await redis.close();
    },
  };
}

storeContract('the store in Redis', NO_REDIS, () => world('a password'));

const check = (what: string, run: (all: Awaited<ReturnType<typeof world>>) => Promise<void>) =>
  test(`the store in Redis: ${what}`, { skip: NO_REDIS, timeout: 60_000 }, async () => {
    const all = await world();
    try {
      await run(all);
    } finally {
      await all.close();
    }
  });

const away = (error: unknown) =>
  error instanceof BeelineError && error.code === 'SERVER' && error.reason === 'SERVER_STORE_AWAY';

/** Asks until Redis answers. */
async function again<T>(ask: () => Promise<T> | T): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      assert.ok(away(error), String(error));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const record = { meeting: '0'.repeat(16), owner: '192.0.2.1', host: '0'.repeat(32), hosted: true, last: 3 };

check('Redis dies: questions are refused at once, and it comes back by itself', async ({ redis, open }) => {
  const [a, b] = [await open(), await open()];
  const heard = listen(a);
  await a.claim('7');
  await redis.kill();
  await heard.until((what) => what === 'away');
  assert.equal(a.reachable, false);
  const began = performance.now();
  await assert.rejects(async () => a.claim('8'), away);
  await assert.rejects(async () => a.hit('joins', '192.0.2.1'), away);
  assert.equal(a.post('0'.repeat(16), {}), false);
  assert.ok(performance.now() - began < 500, 'nothing waits');
  await redis.start();
  await heard.until((what) => what === 'back');
  assert.equal(a.reachable, true);
  a.keep('7', record);
  await a.find('7');
  const claim = await again(() => b.claim('7'));
  assert.equal(claim.here, false, 'what was written again has its home');
});

check(
  'Redis hangs: questions are refused within seconds, and it comes back by itself',
  async ({ redis, open }) => {
    const store = await open();
    const heard = listen(store);
    redis.hang();
    const began = performance.now();
    await assert.rejects(async () => store.claim('8'), away);
    assert.ok(performance.now() - began < 6_000);
    await heard.until((what) => what === 'away');
    redis.go();
    await heard.until((what) => what === 'back');
    assert.equal((await again(() => store.claim('8'))).here, true);
  },
);

check('an instance that stood still for long is another one afterwards', async ({ redis, open }) => {
  const [a, b] = [await open(), await open()];
  const [heard, other] = [listen(a), listen(b)];
  await a.claim('7');
  a.keep('7', record);
  await a.find('7');
  // As if its signs of life had not come for a while.
  for (const set of ['live', 'carriers']) redis.command('DEL', `beeline:0:${set}`);
  await heard.until((what) => what === 'away');
  await other.until((what) => what === 'back');
  assert.deepEqual(await again(() => b.claim('7')), { here: true, record });
  await heard.until((what) => what === 'back');
  a.keep('7', record);
  await heard.until((what) => what === 'homeLost 7');
});

check('protects from: values in Redis that none of ours has written', async ({ redis, open }) => {
  const [a, b] = [await open({ url: 'https://a.example' }), await open({ url: 'https://b.example' })];
  const poison = (...words: string[]) => redis.command(...words);
  const key = 'ab'.repeat(16);
  const place = {
    nameplate: '7',
    meeting: '0'.repeat(16),
    owner: '192.0.2.1',
    side: 'guest',
    guest: 4,
    kept: true,
  };
  for (const value of [
    ...['', 'null', '7', '{}', '[]', '{"nameplate":"7"}', `"${'x'.repeat(1e6)}"`],
    ...[
      { ...place, side: 'nobody' },
      { ...place, guest: -1 },
      { ...place, guest: 2 ** 40 },
    ].map((each) => JSON.stringify(each)),
    ...[
      { ...place, meeting: '../..' },
      { ...place, more: 1 },
      { ...place, owner: 'x'.repeat(65) },
    ].map((each) => JSON.stringify(each)),
  ]) {
    poison('SET', `beeline:0:p:${key}`, value);
    assert.equal(await a.placeOf(key), undefined, value.slice(0, 60));
  }
  poison('SET', `beeline:0:p:${key}`, JSON.stringify(place));
  assert.deepEqual(await a.placeOf(key), place);
  for (const bad of ['not JSON', '{"meeting":"zz"}', JSON.stringify({ ...record, last: 1e99 })]) {
    poison('DEL', 'beeline:0:m:9');
    poison('HSET', 'beeline:0:m:9', 'home', '0123456789abcdef', 'record', bad, 'hosted', '1');
    assert.deepEqual(await a.claim('9'), { here: true, record: undefined });
    a.release('9');
  }
  poison('SET', 'beeline:0:m:8', 'no hash');
  await assert.rejects(async () => a.claim('8'), away);
  await assert.rejects(async () => a.hosted(['8']), away);
  poison('SET', 'beeline:0:h:joins:192.0.2.1', 'many');
  await assert.rejects(async () => a.hit('joins', '192.0.2.1'), away);
  // Clients are sent to no place that is none.
  const pair = pairName({ meeting: '0'.repeat(16), guest: 4 });
  const here = await a.carrier(pair);
  const [asker, other] = here?.here ? [b, await b.carrier(pair)] : [a, here];
  const name = other?.here === false ? other.instance : '';
  for (const url of [
    'javascript:alert(1)',
    'file:///etc/passwd',
    'https://x@evil.example',
    'https://evil.example?x',
  ]) {
    poison('HSET', 'beeline:0:instances', name, JSON.stringify({ url, load: 0 }));
    // Until the next sign of life, which says it anew.
    const carrier = await Promise.resolve(asker.carrier(pair)).catch((error: unknown) => {
      assert.ok(away(error), String(error));
      return undefined;
    });
    assert.ok(carrier?.here !== false || carrier.url !== url);
  }
  assert.equal(a.reachable, true);
});

check('protects from: what others publish', async ({ redis, open }) => {
  const [a, b] = [await open(), await open()];
  const heard = listen(a);
  for (const text of [
    '',
    'null',
    '{}',
    '{"from":"me","message":{}}',
    `{"from":"${'0'.repeat(16)}"}`,
    'x'.repeat(300_000),
  ])
    redis.command('PUBLISH', 'beeline:0:all', text);
  b.broadcast({ last: true });
  await heard.until((what) => what.endsWith('{"last":true}'));
  assert.equal(heard.told.filter((what) => what.startsWith('heard')).length, 1);
});

check('everything that is written ends by itself', async ({ redis, open }) => {
  const a = await open({ url: 'https://a.example' });
  await a.claim('7');
  a.keep('7', record);
  a.remember('ab'.repeat(16), {
    nameplate: '7',
    meeting: '0'.repeat(16),
    owner: '',
    side: 'host',
    guest: 0,
    kept: false,
  });
  a.hold(pairName({ meeting: '0'.repeat(16), guest: 1 }));
  await a.carrier(pairName({ meeting: '0'.repeat(16), guest: 2 }));
  await a.ticket('0'.repeat(16), {
    nameplate: '7',
    meeting: '0'.repeat(16),
    owner: '',
    side: 'host',
    guest: 1,
    kept: false,
  });
  await a.hit('joins', '192.0.2.1');
  const keys = redis.command('--raw', 'KEYS', '*').split('\n');
  assert.ok(keys.length >= 8, keys.join());
  for (const key of keys) {
    assert.match(key, /^beeline:0:/);
    const left = Number(redis.command('PTTL', key));
    assert.ok(left > 0 && left <= 3_600_000, `${key} ${left}`);
  }
});

check('a connection that brings nothing is noticed, though it is open', async ({ redis, open }) => {
  const target = new URL(redis.url);
  /** What is subscribed to comes by these. */
  const subscribed = new Set<Socket>();
  let silent = false;
  const between = createServer((client) => {
    const server = connect(Number(target.port), target.hostname);
    client.on('data', (part) => {
      if (part.includes('subscribe')) subscribed.add(client);
      server.write(part);
    });
    server.on('data', (part) => {
      if (!silent || !subscribed.has(client)) client.write(part);
    });
    for (const each of [client, server]) {
      each.on('error', () => {});
      each.on('close', () => {
        client.destroy();
        server.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  try {
    const store = await open({ redis: `redis://127.0.0.1:${(between.address() as AddressInfo).port}` });
    const heard = listen(store);
    silent = true;
    await heard.until((what) => what === 'away');
    silent = false;
    await heard.until((what) => what === 'back');
    assert.equal(store.reachable, true);
  } finally {
    between.close();
  }
});

test('the store in Redis: who is not let in is told so at the start, and the password is in no words', {
  skip: NO_REDIS,
}, async () => {
  const redis = await startRedis('right-password');
  const lines: string[] = [];
  const line = (fields: object, message: string) => void lines.push(JSON.stringify(fields) + message);
  const log = { debug: line, info: line, warn: line };
  const start = (url: string) => openRedisStore({ url, load: () => 0, log });
  try {
    for (const password of ['wrong-password', '']) {
      const url = redis.url.replace('right-password', password);
      await assert.rejects(start(url), (error) => {
        assert.ok(error instanceof BeelineError);
        assert.deepEqual([error.code, error.reason], ['USAGE', 'REDIS_UNUSABLE']);
        assert.ok(!error.message.includes('wrong'));
        return true;
      });
    }
    for (const url of ['http://h:6379', 'redis://', 'nonsense', 'redis://u:secret@h/x'])
      await assert.rejects(start(url), (error) => {
        assert.ok(error instanceof BeelineError && error.reason === 'REDIS_UNUSABLE', String(error));
        return !error.message.includes('secret');
      });
    await (await start(redis.url)).close();
  } finally {
    await redis.close();
  }
  assert.ok(!lines.join().includes('-password'), lines.join());
});

test('the store in Redis: a server starts without it, and has it when it comes', {
  skip: NO_REDIS,
  timeout: 60_000,
}, async () => {
  const redis: RedisServer = await startRedis();
  await redis.kill();
  const store = await openRedisStore({ url: redis.url, load: () => 0, log: SILENT });
  const heard = listen(store);
  try {
    await assert.rejects(async () => store.claim('7'), away);
    await redis.start();
    await heard.until((what) => what === 'back');
    assert.equal((await store.claim('7')).here, true);
  } finally {
    await store.close();
    await redis.close();
  }
});
