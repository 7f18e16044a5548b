/**
 * Two homes without anybody's server: they meet over a private DHT, whose nodes are 50 ms away, as each home is from the other.
 * ONLY=cone,symmetric limits the kinds. Printed for each pair: what carried, and how long from the receiver's start to its first byte.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { type HostKind, type Internet, type LabHost, makeInternet, whyNoLab } from '../../lab/network.ts';
import { type PrivateDht, startDht } from '../../lab/services.ts';
import { distant, whyNoWan } from '../../lab/wan.ts';
import { event, Workspace } from '../integration/workspace.ts';

const missing = whyNoLab() ?? whyNoWan();
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;

/** One-way, of each link: two of them are a quarter of a second's tenth, there and back 50 ms. */
const LINK_MS = 12.5;
const NODES = 5;
const SIZE = 8 * 1024 * 1024;
const PAIRS: readonly [HostKind, HostKind][] = [
  ['cone', 'cone'],
  ['symmetric', 'cone'],
  ['cone', 'symmetric'],
  ['open', 'cone'],
  ['double', 'full-cone'],
];

describe('lab: two homes meet over a DHT', { skip }, () => {
  let work: Workspace;
  let internet: Internet;
  let dht: PrivateDht;

  before(async () => {
    assert.equal(missing, undefined);
    work = new Workspace();
    makeFile(work.path('file'), SIZE);
    internet = await makeInternet({ join: distant(LINK_MS) });
    dht = await startDht(internet.server, NODES);
  });
  after(async () => {
    await work?.dispose();
    await dht?.stop();
    internet?.remove();
  });

  const flags = () => ['--dht-bootstrap', dht.bootstrap];
  const home = (kind: HostKind) => internet.addHost(kind, { join: distant(LINK_MS) });

  async function crosses(sender: LabHost, receiver: LabHost, more: readonly string[] = flags()) {
    const to = work.path(`out-${sender.namespace}`);
    mkdirSync(to);
    const send = work.start(['send', work.path('file'), ...more], { prefix: sender.prefix });
    const { code } = await send.until('code');
    // Whoever says a code takes longer than a sender needs to be announced.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const began = performance.now();
    const receive = work.start(['receive', String(code), '--yes', '--to', to, ...more], {
      prefix: receiver.prefix,
    });
    await receive.until((line) => line.event === 'progress' && Number(line.bytes) > 0);
    const firstByte = performance.now() - began;
    const received = await receive.ends(0);
    const sent = await send.ends(0);
    assert.equal(event(received, 'done').root, event(sent, 'done').root);
    sameFile(work.path('file'), `${to}/file`);
    const kinds = received.events
      .filter((line) => line.event === 'lane' && line.status === 'closed' && Number(line.bytes) > 0)
      .map(({ kind }) => String(kind));
    return { code: String(code), kinds: [...new Set(kinds)], firstByte, received, sent };
  }

  for (const [from, to] of PAIRS) {
    const only = process.env.ONLY?.split(',');
    if (only && !(only.includes(from) && only.includes(to))) continue;
    it(`from a ${from} network to a ${to} network`, async () => {
      const [sender, receiver] = [await home(from), await home(to)];
      try {
        const { code, kinds, firstByte } = await crosses(sender, receiver);
        console.log(
          `# ${from} → ${to}: ${kinds.join(', ')}; ${Math.round(firstByte)} ms from the receiver's start to its first byte`,
        );
        assert.match(code, /^\d{7}-/);
        assert.ok(kinds.length > 0);
      } finally {
        receiver.remove();
        sender.remove();
      }
    });
  }
});
