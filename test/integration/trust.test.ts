/** Two ways without a code: a shared secret in a file, and devices that trust each other. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { freePort } from '../ports.ts';
import type { Ended, StartOptions } from './command.ts';
import { errorCode, event, listening, type Workspace, workspace } from './workspace.ts';

/** Starts both sides with flags of their own at one address; resolves with how they ended, receiver first. */
async function meet(
  work: Workspace,
  sendFlags: readonly string[],
  receiveFlags: readonly string[],
  statuses: readonly [number, number] = [0, 0],
  options: StartOptions = {},
): Promise<[Ended, Ended]> {
  makeFile(work.path('one.bin'), 2_000_000);
  const port = await freePort();
  const sending = ['send', work.path('one.bin'), '--no-lan', '--port', String(port), ...sendFlags];
  const sender = work.start(sending, options);
  await listening(port);
  const at = ['--at', `127.0.0.1:${port}`, '--no-lan', '--yes', '--to', work.folder('out')];
  const received = await work.start(['receive', ...at, ...receiveFlags], options).ends(statuses[1]);
  return [received, await sender.ends(statuses[0])];
}

async function ownKey(work: Workspace, config: string): Promise<string> {
  const shown = await work.start(['trust', '--config-dir', work.path(config)]).ends(0);
  return String(event(shown, 'own').key);
}

async function trust(work: Workspace, config: string, name: string, key: string): Promise<void> {
  await work.start(['trust', 'add', name, key, '--config-dir', work.path(config)]).ends(0);
}

describe('integration: without a code', { concurrency: 2 }, () => {
  it('a pre-shared key is enough, and does not show anywhere', async (t) => {
    const work = workspace(t);
    const secret = randomBytes(32).toString('base64');
    writeFileSync(work.path('psk'), `${secret}\n`, { mode: 0o600 });
    const flags = ['--psk-file', work.path('psk'), '--log-level', 'trace'];
    for (const { stdout, stderr } of await meet(work, flags, flags))
      assert.equal(`${stdout}${stderr}`.includes(secret), false);
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
  });

  it('a pre-shared key that is too short is refused with 2', async (t) => {
    const work = workspace(t);
    writeFileSync(work.path('psk'), 'short', { mode: 0o600 });
    const sent = await work.start(['send', '--text', 'x', '--psk-file', work.path('psk')]).ends(2);
    assert.equal(errorCode(sent), 'USAGE');
  });

  it('devices that trust each other need no code, and each is told who the other is', async (t) => {
    const work = workspace(t);
    await trust(work, 'desk', 'laptop', await ownKey(work, 'laptop'));
    await trust(work, 'laptop', 'desk', await ownKey(work, 'desk'));
    const [received, sent] = await meet(
      work,
      ['--device', 'laptop', '--config-dir', work.path('desk')],
      ['--device', 'desk', '--config-dir', work.path('laptop')],
    );
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
    assert.equal(event(received, 'peer').name, 'desk');
    assert.equal(event(sent, 'peer').name, 'laptop');
  });

  it('a device that is no longer trusted has nothing to say', async (t) => {
    const work = workspace(t);
    await trust(work, 'desk', 'laptop', await ownKey(work, 'laptop'));
    const listed = await work.start(['trust', 'list', '--config-dir', work.path('desk')]).ends(0);
    assert.equal(event(listed, 'device').name, 'laptop');
    await work.start(['trust', 'remove', 'laptop', '--config-dir', work.path('desk')]).ends(0);
    const args = ['send', '--text', 'x', '--device', 'laptop', '--config-dir', work.path('desk'), '--no-lan'];
    assert.equal(errorCode(await work.start(args).ends(2)), 'USAGE');
  });
});
