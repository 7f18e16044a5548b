/** QUIC across the lab's internet, as the command uses it: dialled by either side, on paths that die and addresses that change. */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { type HostKind, type Internet, makeInternet, whyNoLab } from '../../lab/network.ts';
import { distant, whyNoWan } from '../../lab/wan.ts';
import type { Command, Line } from '../integration/command.ts';
import { event, Workspace } from '../integration/workspace.ts';
import { quicMissing } from '../transports/quic-ends.ts';

const missing = whyNoLab() ?? whyNoWan() ?? (quicMissing || undefined);
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;
const SIZE = 48 * 1024 * 1024;

describe('lab: QUIC', { skip }, () => {
  let work: Workspace;
  let internet: Internet | undefined;
  let meet: string[];

  before(async () => {
    assert.equal(missing, undefined);
    work = new Workspace();
    makeFile(work.path('file'), SIZE);
    internet = await makeInternet({ join: distant(10) });
    const { server } = internet;
    const options = { prefix: server.prefix, deadline: 900_000 };
    const command = work.start(['server', '--port', '4848', '--no-relay'], options);
    const { port } = await command.until('listening');
    meet = ['--no-lan', '--quic', '--server', `http://${server.address}:${port}`];
  });
  after(async () => {
    await work?.dispose();
    internet?.remove();
  });

  /** Two hosts whose TCP does not get through to each other, and a transfer between them that QUIC carries. */
  async function crossing(t: TestContext, kinds: readonly [HostKind, HostKind]) {
    const [sender, receiver] = [await internet!.addHost(kinds[0]), await internet!.addHost(kinds[1])];
    t.after(() => {
      receiver.remove();
      sender.remove();
    });
    sender.cut({ tcp: true, to: receiver.addresses });
    const send = work.start(['send', work.path('file'), '--limit', '4M', ...meet], { prefix: sender.prefix });
    const { code } = await send.until('code');
    const to = work.folder(`out-${sender.namespace}`);
    const receiving = () =>
      work.start(['receive', String(code), '--yes', '--to', to, ...meet], { prefix: receiver.prefix });
    const receive = receiving();
    await receive.until(carriedBy('quic'));
    const whole = async (command: Command) => {
      const received = await command.ends(0);
      await send.ends(0);
      sameFile(work.path('file'), `${to}/file`);
      return event(received, 'done');
    };
    return { sender, receiver, send, receive, receiving, whole };
  }

  it('from an open receiver to an open sender', async (t) => {
    const { receive, whole } = await crossing(t, ['open', 'open']);
    await whole(receive);
  });

  it('a sender behind a NAT dials the receiver who can be dialled', async (t) => {
    const { receive, whole } = await crossing(t, ['symmetric', 'open']);
    await whole(receive);
    const lanes = receive.events.filter((line) => line.event === 'lane' && line.status === 'open');
    console.log(`# ${lanes.length} lanes: ${lanes.map(({ kind }) => kind).join(' ')}`);
    // UDX may come first and make way. Lanes that came and went all the time were 60 in as long.
    assert.ok(lanes.length < 30, 'lanes came and went all the time');
  });

  it('a receiver that is killed goes on where it was', async (t) => {
    const { receive, receiving, whole } = await crossing(t, ['open', 'open']);
    await receive.until((line) => line.event === 'progress' && Number(line.bytes) > SIZE / 3);
    await receive.kill();
    const again = receiving();
    await again.until(carriedBy('quic'));
    const done = await whole(again);
    assert.ok(Number(done.resumed) > 0, 'nothing was kept');
  });

  it('the receiver gets another address under way', async (t) => {
    const { receiver, receive, whole } = await crossing(t, ['open', 'cone']);
    const before = receive.events.length;
    receiver.changeAddress();
    const began = performance.now();
    await receive.until((line) => lane('quic')(line) && receive.events.indexOf(line) >= before);
    console.log(`# a QUIC lane again after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    await whole(receive);
  });

  it('a path that dies without a word is noticed by QUIC itself', async (t) => {
    const { sender, receiver, receive, send } = await crossing(t, ['open', 'open']);
    const before = receive.events.length;
    sender.cut({ udp: true, to: receiver.addresses });
    const began = performance.now();
    const { reason } = await receive.until(
      (line) => lane('quic', 'closed')(line) && receive.events.indexOf(line) >= before,
    );
    console.log(
      `# a QUIC lane is over after ${((performance.now() - began) / 1000).toFixed(1)} s: ${reason}`,
    );
    sender.heal();
    await receive.ends(0);
    await send.ends(0);
  });
});

const lane =
  (kind: string, status = 'open') =>
  (line: Line) =>
    line.event === 'lane' && line.kind === kind && line.status === status;
/** In bytes a second: far more than what keeps a lane alive, and what any carrying lane has on a busy machine too. */
const CARRYING = 5e4;
const carriedBy = (kind: string) => (line: Line) =>
  line.event === 'progress' && ((line.by as Record<string, number>)[kind] ?? 0) > CARRYING;
