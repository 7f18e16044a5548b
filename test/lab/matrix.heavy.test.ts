/**
 * Every kind of network with every other: 64 MiB cross, byte-identical, and what carried them is what should. The
 * server is 20 ms away. ONLY=cone,open limits the kinds.
 */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { makeFile } from '../../bench/files.mjs';
import { HOST_KINDS, type HostKind, type Internet, makeInternet, whyNoLab } from '../../lab/network.ts';
import { distant, whyNoWan } from '../../lab/wan.ts';
import type { Command } from '../integration/command.ts';
import { Workspace } from '../integration/workspace.ts';
import { cross, describeCrossing, expectedKind } from './matrix.ts';

const missing = whyNoLab() ?? whyNoWan();
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;

const KINDS =
  process.env.ONLY === undefined
    ? HOST_KINDS
    : HOST_KINDS.filter((kind) => process.env.ONLY!.split(',').includes(kind));
const SIZE = 64 * 1024 * 1024;
/** Slow enough for better lanes to join before the end. */
const LIMIT = '25M';
/** Random probing takes some seconds. */
const BIRTHDAY_LIMIT = '3M';

for (const from of KINDS) {
  describe(`lab: from a ${from} network`, { skip, concurrency: 2 }, () => {
    let work: Workspace;
    let internet: Internet | undefined;
    let server: Command;
    let url: (kind: HostKind) => string;

    before(async () => {
      assert.equal(missing, undefined);
      work = new Workspace();
      makeFile(work.path('file'), SIZE);
      internet = await makeInternet({ join: distant(10) });
      server = work.start(['server', '--port', '443'], { prefix: internet.server.prefix, deadline: 900_000 });
      await server.until('listening');
      const { address, address6 } = internet.server;
      url = (kind) => `http://${kind === 'ipv6-only' ? `[${address6}]` : address}:443`;
    });
    after(async () => {
      await work?.dispose();
      internet?.remove();
    });

    const cell = (to: HostKind, behind: boolean) => async () => {
      const sender = await internet!.addHost(from);
      const receiver = await internet!.addHost(to, behind ? { behind: sender } : {});
      const folder = work.path(`out-${sender.namespace}`);
      mkdirSync(folder);
      try {
        const expected = behind ? 'tcp' : expectedKind(from, to);
        const crossing = await cross({
          ...{ work, sender, receiver, file: work.path('file'), to: folder },
          ...{ senderUrl: url(from), receiverUrl: url(to) },
          limit: expected === 'udx' ? BIRTHDAY_LIMIT : LIMIT,
        });
        console.log(
          `# ${from} → ${to}${behind ? ' on one LAN' : ''}: ${describeCrossing(crossing)} (expected: ${expected})`,
        );
        const kinds = crossing.carried.map(([kind]) => kind);
        if (expected === 'relay') assert.deepEqual(kinds, ['relay']);
        else assert.ok(kinds.includes(expected), `a ${expected} lane, not only ${kinds}`);
      } finally {
        receiver.remove();
        sender.remove();
        rmSync(folder, { recursive: true, force: true });
      }
    };
    for (const to of KINDS) it(`to a ${to} network`, cell(to, false));
    if (from === 'cone' || from === 'symmetric') it('to a machine on the same LAN', cell(from, true));
  });
}
