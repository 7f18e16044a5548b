/** An inbox on a local network of namespaces: devices are found by mDNS, with no server and nobody at the other end. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { makeWire, type Wire, whyNoNamespaces } from '../../lab/namespaces.ts';
import type { Command } from '../integration/command.ts';
import { event, journaled, Workspace } from '../integration/workspace.ts';

const missing = whyNoNamespaces();
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;

describe('lab: an inbox on a local network', { skip }, () => {
  let work: Workspace;
  let wire: Wire | undefined;

  before(async () => {
    assert.equal(missing, undefined);
    work = new Workspace();
    wire = makeWire();
    const keys = await Promise.all(['desk', 'laptop'].map(ownKey));
    await work.start(['trust', 'add', 'laptop', keys[1]!, '--config-dir', work.path('desk')]).ends(0);
    await work.start(['trust', 'add', 'desk', keys[0]!, '--config-dir', work.path('laptop')]).ends(0);
  });
  after(async () => {
    await work?.dispose();
    wire?.remove();
  });

  async function ownKey(name: string): Promise<string> {
    return String(event(await work.start(['trust', '--config-dir', work.path(name)]).ends(0), 'own').key);
  }

  async function listen(): Promise<Command> {
    const flags = ['--to', work.folder('in'), '--config-dir', work.path('desk'), '--no-outbox'];
    const listener = work.start(['listen', ...flags], { prefix: wire!.right.prefix });
    await listener.until('watching');
    return listener;
  }

  const send = (path: string, ...flags: string[]) =>
    work.start(['send', path, '--device', 'desk', '--config-dir', work.path('laptop'), ...flags], {
      prefix: wire!.left.prefix,
    });

  it('takes what comes, whoever starts first, and goes on after kill -9 on either side', async () => {
    makeFile(work.path('big.bin'), 40_000_000);
    writeFileSync(work.path('note.txt'), 'hello');
    // The sender is there before.
    const early = send(work.path('note.txt'));
    await early.until('listening');
    const first = await listen();
    await early.ends(0);
    const sender = send(work.path('big.bin'), '--limit', '3M');
    await journaled(work.path('in'));
    await first.kill();
    const second = await listen();
    const resumed = await second.until('resumed');
    assert.ok(Number(resumed.bytes) > 0);
    // A killed sender says no goodbye. The next one is another, and is heard at once.
    await sender.kill();
    await send(work.path('big.bin')).ends(0);
    await second.until(({ event }) => event === 'done');
    sameFile(work.path('big.bin'), work.path('in', 'big.bin'));
    await send(work.path('note.txt')).ends(0);
    sameFile(work.path('note.txt'), work.path('in', 'note (1).txt'));
    second.signal('SIGTERM');
    await second.ends(0);
  });
});
