/** The command on a local network of namespaces: nobody there, senders that start together, many container networks. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { ip, ipBatch, makeNamespace, prefixOf, removeNamespace, uniqueName } from '../../lab/ip.ts';
import { makeWire, type Wire, whyNoNamespaces } from '../../lab/namespaces.ts';
import { errorCode, event, Workspace } from '../integration/workspace.ts';

const missing = whyNoNamespaces();
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;

describe('lab: meeting on a local network', { skip }, () => {
  let work: Workspace;
  let wire: Wire | undefined;
  const alone = uniqueName('alone');

  before(() => {
    assert.equal(missing, undefined);
    work = new Workspace();
    wire = makeWire();
    makeNamespace(alone);
    writeFileSync(work.path('note.txt'), 'hello');
  });
  after(async () => {
    await work?.dispose();
    wire?.remove();
    removeNamespace(alone);
  });

  it('nobody there under that code is NO_PEER, and the person is told before that it is still looked for', async () => {
    const receiver = work.start(['receive', '4711-x-y', '--yes', '--to', work.folder('nobody')], {
      prefix: wire!.right.prefix,
    });
    const word = await receiver.until('warning');
    assert.equal(word.code, 'NO_PEER');
    assert.match(String(word.message), /on this network yet; still looking/);
    const ended = await receiver.ends(6);
    assert.equal(errorCode(ended), 'NO_PEER');
    assert.match(
      String(event(ended, 'error').message),
      /sender still runs.*same network.*--at HOST:PORT or --server/,
    );
  });

  it('a machine without a network is told so at once', async () => {
    const receiver = work.start(['receive', '4711-x-y', '--yes', '--to', work.folder('alone')], {
      prefix: prefixOf(alone),
    });
    const word = await receiver.until('warning');
    assert.match(String(word.message), /no network but itself/);
    // Still, somebody on this machine may send.
    const sender = work.start(['send', work.path('note.txt'), '--code', '4711-x-y'], {
      prefix: prefixOf(alone),
    });
    await receiver.ends(0);
    await sender.ends(0);
  });

  it('the receiver may start first', async () => {
    const receiver = work.start(['receive', '4712-x-y', '--yes', '--to', work.folder('first')], {
      prefix: wire!.right.prefix,
    });
    await receiver.until('warning');
    const sender = work.start(['send', work.path('note.txt'), '--code', '4712-x-y'], {
      prefix: wire!.left.prefix,
    });
    await receiver.ends(0);
    await sender.ends(0);
  });

  it('twelve senders that start together have twelve nameplates', async () => {
    const senders = Array.from({ length: 12 }, () =>
      work.start(['send', work.path('note.txt')], { prefix: wire!.left.prefix }),
    );
    const codes = await Promise.all(senders.map(async (sender) => String((await sender.until('code')).code)));
    const nameplates = codes.map((code) => code.split('-')[0]);
    assert.equal(new Set(nameplates).size, 12, nameplates.join());
    for (const sender of senders) sender.signal('SIGINT');
    await Promise.all(senders.map((sender) => sender.exited));
  });

  it('sixteen container networks do not push the LAN out', async () => {
    const host = uniqueName('host');
    const guest = uniqueName('guest');
    try {
      for (const name of [host, guest]) makeNamespace(name);
      const containers = Array.from({ length: 16 }, (_, i) => [
        `link add d${i} type veth peer name e${i}`,
        `link set d${i} up`,
        `link set e${i} up`,
        `addr add 172.${i + 17}.0.1/24 dev d${i}`,
      ]);
      ipBatch(host, containers.flat());
      ip('-n', host, 'link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'lan', 'netns', guest);
      ipBatch(host, ['link set lan up', 'addr add 10.78.0.1/24 dev lan']);
      ipBatch(guest, ['link set lan up', 'addr add 10.78.0.2/24 dev lan']);
      const sender = work.start(['send', work.path('note.txt')], { prefix: prefixOf(host) });
      const { code } = await sender.until('code');
      const out = work.folder('containers');
      const receiver = work.start(['receive', String(code), '--yes', '--to', out], {
        prefix: prefixOf(guest),
      });
      await receiver.ends(0);
      await sender.ends(0);
    } finally {
      for (const name of [host, guest]) removeNamespace(name);
    }
  });
});
