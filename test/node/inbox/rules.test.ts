/** What is taken from a device: its rules, and what has come of its quota. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BeelineError } from '../../../src/base/errors.ts';
import type { InboxRules } from '../../../src/identity/devices.ts';
import { ReceivedBytes } from '../../../src/node/inbox/received.ts';
import { judge } from '../../../src/node/inbox/rules.ts';

const root = mkdtempSync(join(tmpdir(), 'beeline-inbox-'));
after(() => rmSync(root, { recursive: true }));

const device = (inbox?: InboxRules) => ({ name: 'laptop', key: 'bl1x', ...(inbox && { inbox }) });
const verdict = (inbox: InboxRules | undefined, bytes: number | null, received = 0) => {
  const said = judge(device(inbox), { bytes }, received);
  return said instanceof BeelineError ? `${said.code} ${said.reason}` : said;
};

test('without rules everything is taken', () => {
  assert.equal(verdict(undefined, 2 ** 50), 'accept');
  assert.equal(verdict({}, null), 'accept');
});

test('each rule counts, the strictest first', () => {
  assert.equal(verdict({ refuse: true, ask: true }, 1), 'REFUSED INBOX_REFUSES');
  assert.equal(verdict({ maxBytes: 10 }, 10), 'accept');
  assert.equal(verdict({ maxBytes: 10, ask: true }, 11), 'REFUSED OFFER_OVER_LIMIT');
  assert.equal(verdict({ ask: true }, 11), 'ask');
  const quota = { bytes: 100, since: 1 };
  assert.equal(verdict({ quota }, 40, 60), 'accept');
  assert.equal(verdict({ quota }, 41, 60), 'REFUSED QUOTA_SPENT');
  assert.equal(verdict({ quota }, 1, 1000), 'REFUSED QUOTA_SPENT');
  assert.equal(verdict({ quota }, null), 'REFUSED OFFER_WITHOUT_SIZE', 'a stream may have any length');
});

test('what has come is remembered, privately, and counts from when the quota was set', async () => {
  const folder = join(root, 'state');
  const laptop = device({ quota: { bytes: 100, since: 5 } });
  const phone = { ...device({ quota: { bytes: 9, since: 5 } }), key: 'bl1phone' };
  const received = new ReceivedBytes(folder);
  assert.equal(await received.of(laptop), 0);
  await Promise.all([received.add(laptop, 30), received.add(phone, 7), received.add(laptop, 12)]);
  const again = new ReceivedBytes(folder);
  assert.deepEqual([await again.of(laptop), await again.of(phone)], [42, 7]);
  assert.equal(await again.of(device({ quota: { bytes: 100, since: 6 } })), 0);
  if (process.platform !== 'win32') assert.equal(statSync(join(folder, 'received.json')).mode & 0o777, 0o600);
  await again.add(device(), 5);
  assert.doesNotMatch(readFileSync(join(folder, 'received.json'), 'utf8'), /"bytes":5/);
});

test('several offers at once do not share one rest', async () => {
  const received = new ReceivedBytes(join(root, 'pending'));
  const laptop = device({ quota: { bytes: 100, since: 5 } });
  const release = received.reserve(laptop, 60);
  assert.equal(await received.of(laptop), 60);
  release();
  assert.equal(await received.of(laptop), 0);
});

test('a damaged count is no reason to take nothing any more', async () => {
  const folder = join(root, 'damaged');
  const laptop = device({ quota: { bytes: 100, since: 5 } });
  const received = new ReceivedBytes(folder);
  await received.add(laptop, 1);
  for (const text of ['', '{', '{"version":1,"received":[{"key":"bl1x","since":5,"bytes":-1}]}', '[]']) {
    writeFileSync(join(folder, 'received.json'), text, { mode: 0o600 });
    assert.equal(await received.of(laptop), 0, text);
  }
});
