/**
 * A symmetric NAT and a cone: neither knows the port that the other can be reached at, and both probe. The rate of success
 * and the times are printed; that it works at all, in most runs, is asserted.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type HostKind, type Internet, makeInternet, whyNoLab } from '../../lab/network.ts';
import { childModule } from '../child.ts';
import { LabProgram, PunchPeer, STUN } from './punch-lab.ts';

const PEER = childModule('test/lab/birthday-peer.ts');

const missing = whyNoLab();
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;
const RUNS = 20;

describe('lab: a symmetric NAT and a cone over UDP', { skip, concurrency: 2 }, () => {
  let internet: Internet;
  let stun: PunchPeer | undefined;

  before(async () => {
    assert.equal(missing, undefined);
    internet = await makeInternet();
    stun = await PunchPeer.stun(internet.server);
  });
  after(() => {
    stun?.end();
    internet?.remove();
  });

  for (const [from, to] of [
    ['symmetric', 'cone'],
    ['cone', 'symmetric'],
  ] satisfies [HostKind, HostKind][])
    it(`${from} sender, ${to} receiver: ${RUNS} runs`, async () => {
      const [a, b] = [await internet.addHost(from), await internet.addHost(to)];
      const words = [internet.server.address, ...STUN];
      const sender = new LabProgram(a, PEER, 'sender', ...words);
      const receiver = new LabProgram(b, PEER, 'receiver', ...words);
      const both = [sender, receiver];
      const times: number[] = [];
      try {
        for (let run = 0; run < RUNS; run++) {
          for (const side of both) side.tell({ do: 'open' });
          const [ours, theirs] = await Promise.all(both.map(async (side) => (await side.next('open')).hello));
          sender.tell({ do: 'peer', hello: theirs });
          receiver.tell({ do: 'peer', hello: ours });
          const path = await receiver.next('path').catch(() => undefined);
          if (path) times.push(Number(path.ms));
          for (const side of both) side.tell({ do: 'close' });
          await Promise.all(both.map((side) => side.next('closed')));
        }
      } finally {
        for (const side of both) side.end();
      }
      times.sort((x, y) => x - y);
      const median = times[Math.floor(times.length / 2)];
      console.log(
        `# ${from} sender, ${to} receiver: ${times.length} of ${RUNS}, median ${median} ms, longest ${times.at(-1)} ms`,
      );
      assert.ok(times.length > RUNS / 2, `${times.length} of ${RUNS}`);
    });
});
