/** Two namespaces on one wire: the command finds its peer by the wire's own multicast, and by `--at`. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { makeFile, makeTree, sameFile, sameTree } from '../../bench/files.mjs';
import { makeWire, type Wire, whyNoNamespaces } from '../../lab/namespaces.ts';
import { event, Workspace } from '../integration/workspace.ts';

const missing = whyNoNamespaces();
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;

describe('lab: two namespaces joined by a veth pair', { skip }, () => {
  let work: Workspace;
  let wire: Wire | undefined;

  before(() => {
    assert.equal(missing, undefined);
    work = new Workspace();
    wire = makeWire();
    makeFile(work.path('big.bin'), 2 ** 30);
    makeTree(work.path('tree'), 10_000, 4096);
  });
  after(async () => {
    await work?.dispose();
    wire?.remove();
  });

  for (const how of ['mDNS', '--at'] as const) {
    for (const what of ['big.bin', 'tree'] as const) {
      it(`${what === 'tree' ? 'a tree of 10,000 files' : 'a file of 1 GiB'} crosses, meeting by ${how}`, async () => {
        const { left, right } = wire!;
        const out = work.folder(`out-${how}-${what}`);
        const port = how === '--at' ? ['--no-lan', '--port', '47001'] : [];
        const sender = work.start(['send', work.path(what), ...port], {
          prefix: left.prefix,
          deadline: 300_000,
        });
        const { code } = await sender.until('code');
        const at = how === '--at' ? ['--no-lan', '--at', `${left.address}:47001`] : [];
        const receiver = work.start(['receive', String(code), '--yes', '--to', out, ...at], {
          prefix: right.prefix,
          deadline: 300_000,
        });
        const received = await receiver.ends(0);
        const sent = await sender.ends(0);
        assert.match(String(event(sent, 'done').root), /^[0-9a-f]{64}$/);
        assert.equal(event(received, 'done').root, event(sent, 'done').root);
        const lane = event(received, 'lane');
        assert.ok(
          [left.address, left.address6, 'fe80:'].some((part) => String(lane.remote).includes(part)),
          `a lane over the wire, not ${lane.remote}`,
        );
        if (what === 'tree') sameTree(work.path(what), `${out}/${what}`);
        else sameFile(work.path(what), `${out}/${what}`);
      });
    }
  }
});
