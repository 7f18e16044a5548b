/** Redis has no room left, with the policy of deploy/compose.yaml: addresses that were counted long ago are forgotten, and meetings are not. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SILENT } from '../../src/server/log.ts';
import { openRedisStore } from '../../src/server/redis-store.ts';
import { NO_REDIS, startRedis } from '../redis.ts';

const NAMEPLATE = '7654321';
const record = { meeting: '0'.repeat(16), owner: '192.0.2.1', host: '0'.repeat(32), hosted: true, last: 3 };
/** What docs/server.md says of an address and a count. */
const MOST_BYTES = 200;
const SOME = 10_000;
const PARALLEL = 500;

test('Redis is full of addresses: meetings go on', { skip: NO_REDIS, timeout: 120_000 }, async (t) => {
  const [, policy] = /"--maxmemory-policy", "(\S+)"/.exec(readFileSync('deploy/compose.yaml', 'utf8'))!;
  const redis = await startRedis();
  t.after(() => redis.close());
  const open = () =>
    openRedisStore({ url: redis.url, publicUrl: 'https://a.example', load: () => 0, log: SILENT });
  const [a, b] = [await open(), await open()];
  t.after(() => Promise.all([a.close(), b.close()]));
  const info = (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(redis.command('INFO', 'all'))![1]);
  let next = 0;
  const addresses = async (count: number) => {
    for (const end = next + count; next < end; )
      await Promise.all(
        Array.from({ length: PARALLEL }, () =>
          a.hit('joins', `2001:db8:${(next >> 16).toString(16)}:${(next++ & 0xffff).toString(16)}::/64`),
        ),
      );
  };
  assert.equal((await a.claim(NAMEPLATE)).here, true);
  a.keep(NAMEPLATE, record);
  const before = info('used_memory');
  await addresses(SOME);
  const each = Math.round((info('used_memory') - before) / SOME);
  t.diagnostic(`an address and a count take ${each} bytes`);
  assert.ok(each > 50 && each < MOST_BYTES, `${each}`);

  redis.command('CONFIG', 'SET', 'maxmemory-policy', policy!);
  redis.command('CONFIG', 'SET', 'maxmemory', String(info('used_memory') + 200_000));
  // Redis tells what was used longest ago by the second.
  const counted = 'beeline:0:h:joins:2001:db8:0:0::/64';
  while (Number(redis.command('OBJECT', 'IDLETIME', counted)) < 3) await sleep(200);
  for (let i = 0; i < 5; i++) {
    a.keep(NAMEPLATE, record);
    await addresses(1000);
  }
  assert.ok(info('evicted_keys') > 0);
  assert.deepEqual(await b.hosted([NAMEPLATE]), [NAMEPLATE]);
  assert.notEqual(await b.find(NAMEPLATE), undefined);
});
