/** A sender that is killed in the middle of a transfer and started again with the same code: its receiver goes on by itself. */
import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { freePort } from '../ports.ts';
import { errorCode, event, journaled, type Workspace, workspace } from './workspace.ts';

const CODE = '4711-velvet-canyon';
const SIZE = 12_000_000;
const LIMIT = '1M';

/** How the two sides meet: arguments of each, and of a sender that is started again. */
async function ways(t: TestContext) {
  const work = workspace(t);
  const port = String(await freePort());
  const at = `127.0.0.1:${await freePort()}`;
  const server = work.start(['server', '--host', '127.0.0.1', '--port', port]);
  const { url } = await server.until((line) => typeof line.url === 'string');
  const key = work.path('key');
  writeFileSync(key, 'a key that nobody guesses: 0123456789abcdef');
  const code = { send: ['--code', CODE], receive: [CODE] };
  const psk = { send: ['--psk-file', key], receive: ['--psk-file', key] };
  const byServer = ['--server', String(url), '--no-lan'];
  const byAddress = ['--at', at, '--no-lan'];
  return { work, code, psk, byServer, byAddress };
}

interface Way {
  send: string[];
  receive: string[];
}

/** A pair of which the sender has been killed after something was certainly kept. */
async function killed(work: Workspace, { send, receive }: Way, meet: string[], name: string) {
  const file = work.path(name);
  makeFile(file, SIZE);
  const sending = ['send', file, ...send, ...meet, '--limit', LIMIT];
  const sender = work.start(sending);
  await sender.until('listening');
  const to = work.folder(`out-${name}`);
  const receiver = work.start(['receive', ...receive, ...meet, '--to', to, '--yes']);
  await receiver.until('progress');
  await journaled(to);
  await sender.kill();
  await receiver.until((line) => line.event === 'state' && line.from === 'transferring');
  return { file, sending, receiver, to };
}

describe('integration: a sender that is killed and started again with the same code', () => {
  for (const [secret, meeting] of [
    ['code', 'byServer'],
    ['code', 'byAddress'],
    ['psk', 'byServer'],
  ] as const) {
    it(`is followed by its receiver, which goes on with what it has: ${secret}, ${meeting}`, async (t) => {
      const { work, ...all } = await ways(t);
      const { file, sending, receiver, to } = await killed(work, all[secret], all[meeting], 'one');
      const again = work.start(sending);
      const [sent, received] = await Promise.all([again.ends(0), receiver.ends(0)]);
      assert.equal(event(sent, 'done').root, event(received, 'done').root);
      assert.ok(Number(event(sent, 'done').resumed) > 0, 'what was there has not moved again');
      sameFile(file, `${to}/one`);
    });
  }

  it('is followed twice, by the same receiver', async (t) => {
    const { work, code, byServer } = await ways(t);
    const { file, sending, receiver, to } = await killed(work, code, byServer, 'one');
    const second = work.start(sending);
    await second.until('progress');
    await second.kill();
    const third = work.start(sending);
    await Promise.all([third.ends(0), receiver.ends(0)]);
    sameFile(file, `${to}/one`);
  });

  it('with other content under the same code ends the receiver, which keeps what it has', async (t) => {
    const { work, code, byAddress } = await ways(t);
    const { file, sending, receiver, to } = await killed(work, code, byAddress, 'one');
    appendFileSync(file, 'more');
    const again = work.start(sending);
    const ended = await receiver.ends(1);
    assert.equal(errorCode(ended), 'SOURCE_CHANGED');
    await journaled(to);
    // It waits for whoever receives again, and is asked about the new offer.
    const more = ['--to', to, '--yes', '--overwrite', 'replace'];
    await Promise.all([work.start(['receive', CODE, ...byAddress, ...more]).ends(0), again.ends(0)]);
    sameFile(file, `${to}/one`);
  });
});
