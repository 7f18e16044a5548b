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

  it('on one LAN, where the DHT is there too: by the LAN', async () => {
    const sender = await home('cone');
    const receiver = await internet.addHost('cone', { behind: sender });
    try {
      const { kinds, firstByte } = await crosses(sender, receiver);
      console.log(`# one LAN: ${kinds.join(', ')}; ${Math.round(firstByte)} ms`);
      assert.ok(kinds.includes('tcp'));
    } finally {
      receiver.remove();
      sender.remove();
    }
  });

  it('on one LAN, from which no UDP reaches the DHT: each says so once, and they meet', async () => {
    const sender = await home('cone');
    const receiver = await internet.addHost('cone', { behind: sender });
    try {
      for (const host of [sender, receiver]) host.cut({ udp: true, to: internet.server.addresses });
      const { sent, received } = await crosses(sender, receiver);
      const said = ({ events }: typeof sent) => events.filter(({ reason }) => reason === 'DHT_SILENT').length;
      assert.ok(said(sent) <= 1 && said(received) <= 1);
    } finally {
      receiver.remove();
      sender.remove();
    }
  });

  it('from a network without UDP: it is said, with the other ways, and nobody is met', async () => {
    const sender = await home('udp-blocked');
    const receiver = await home('cone');
    try {
      const send = work.start(['send', work.path('file'), ...flags()], { prefix: sender.prefix });
      const { code } = await send.until('code');
      const { message } = await send.until(({ reason }) => reason === 'DHT_SILENT');
      assert.match(String(message), /address.*server/);
      const receive = work.start(
        ['receive', String(code), '--yes', '--to', work.folder('none'), ...flags()],
        { prefix: receiver.prefix },
      );
      assert.equal(event(await receive.ends(6), 'error').reason, 'NOBODY_ANYWHERE');
    } finally {
      receiver.remove();
      sender.remove();
    }
  });

  it('with --no-dht nobody in another home is met', async () => {
    const [sender, receiver] = [await home('cone'), await home('cone')];
    try {
      const send = work.start(['send', work.path('file'), '--no-dht'], { prefix: sender.prefix });
      const { code } = await send.until('code');
      assert.match(String(code), /^\d{1,3}-/);
      const receive = work.start(
        ['receive', String(code), '--yes', '--no-dht', '--to', work.folder('nobody')],
        { prefix: receiver.prefix },
      );
      assert.equal(event(await receive.ends(6), 'error').reason, 'NOBODY_ON_LAN');
    } finally {
      receiver.remove();
      sender.remove();
    }
  });

  it('a sender that is killed and started again is met again by the same receiver', async () => {
    const [sender, receiver] = [await home('cone'), await home('cone')];
    try {
      const words = ['send', work.path('file'), '--code', '7654321-alpha-beta', '--limit', '1M', ...flags()];
      const first = work.start(words, { prefix: sender.prefix });
      await first.until('code');
      const to = work.folder('again');
      const receive = work.start(
        ['receive', '7654321-alpha-beta', '--yes', '--wait', '100', '--to', to, ...flags()],
        {
          prefix: receiver.prefix,
        },
      );
      await receive.until((line) => line.event === 'progress' && Number(line.bytes) > 1_000_000);
      await first.kill();
      const second = work.start(words, { prefix: sender.prefix });
      await receive.ends(0);
      await second.ends(0);
      sameFile(work.path('file'), `${to}/file`);
    } finally {
      receiver.remove();
      sender.remove();
    }
  });
});
