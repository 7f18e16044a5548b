/** TCP punched through real kernel NATs: which pairs work, what a lane carries, and that its ports can be used again. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { type HostKind, type Internet, type LabHost, makeInternet, whyNoLab } from '../../lab/network.ts';
import { LANE_OPEN_DEADLINE } from '../../src/base/limits.ts';
import { type Event, PunchPeer } from './punch-lab.ts';

const missing = whyNoLab();
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;
const COUNT = 4;
/** Bytes on each lane, there and back. */
const ECHOED = 2 ** 20;
/** Milliseconds by which a failure may be later than its deadline: the machine may be busy. */
const SLACK = 3_000;

describe('lab: punched TCP', { skip, timeout: 180_000 }, () => {
  let internet: Internet | undefined;
  let server: PunchPeer | undefined;
  let running: PunchPeer[] = [];
  let hosts: LabHost[] = [];

  before(async () => {
    assert.equal(missing, undefined);
    internet = await makeInternet();
    server = await PunchPeer.stun(internet.server);
  });
  afterEach(async () => {
    for (const peer of running) await peer.stop();
    for (const host of hosts) host.remove();
    running = [];
    hosts = [];
  });
  after(async () => {
    await server?.stop();
    internet?.remove();
  });

  async function meet(sender: HostKind, receiver: HostKind) {
    const [left, right] = [await internet!.addHost(sender), await internet!.addHost(receiver)];
    hosts = [left, right];
    const at = internet!.server.address;
    const [from, to] = [
      PunchPeer.side(left, 'sender', at, COUNT),
      PunchPeer.side(right, 'receiver', at, COUNT),
    ];
    running = [from, to];
    const [theirs, ours] = await Promise.all([from.next('ports'), to.next('ports')]);
    return { left, right, from, to, theirs, ours };
  }
  type Meeting = Awaited<ReturnType<typeof meet>>;

  async function punched({ from, to, theirs, ours }: Meeting, tries = 1): Promise<Event[]> {
    from.tell({ do: 'punch', peer: ours.candidates });
    to.tell({ do: 'punch', peer: theirs.candidates, pin: theirs.pin, tries });
    const events = await to.until('round');
    const lanes = events.filter(({ event }) => event === 'lane');
    assert.equal(lanes.length, COUNT, JSON.stringify(events));
    // Both sides have all of them, and bytes move both ways.
    to.tell({ do: 'echo', bytes: ECHOED });
    assert.deepEqual(await to.next('echoed'), { event: 'echoed', lanes: COUNT, bytes: ECHOED });
    return lanes;
  }

  for (const [sender, receiver] of [
    ['cone', 'cone'],
    ['double', 'cone'],
    ['full-cone', 'cone'],
  ] as const) {
    it(`${sender} to ${receiver}: every port is punched and carries bytes both ways`, async (t) => {
      const meeting = await meet(sender, receiver);
      const { left, theirs, ours } = meeting;
      assert.equal(theirs.dependent || ours.dependent, false);
      for (const { host } of theirs.candidates as { host: string }[]) assert.equal(host, left.publicAddress);
      const lanes = await punched(meeting);
      t.diagnostic(`opened after ${lanes.map(({ ms }) => `${ms} ms`).join(', ')}`);
    });
  }

  for (const side of ['sender', 'receiver'] as const) {
    for (const reset of [false, true]) {
      it(`the ports carry lanes again after the ${side} ${reset ? 'reset' : 'closed'} them`, async (t) => {
        const meeting = await meet('cone', 'cone');
        await punched(meeting);
        const peer = side === 'sender' ? meeting.from : meeting.to;
        peer.tell({ do: 'close', reset });
        for (let i = 0; i < COUNT; i++) await meeting.to.next('gone');
        const lanes = await punched(meeting, 3);
        t.diagnostic(`again after ${lanes.map(({ ms }) => `${ms} ms`).join(', ')}`);
      });
    }
  }

  it('the ports carry lanes again after a path was cut and both sides gave their lanes up', async (t) => {
    const meeting = await meet('cone', 'cone');
    const { from, to, right } = meeting;
    await punched(meeting);
    right.cut();
    for (const peer of [from, to]) peer.tell({ do: 'close', reset: true });
    for (let i = 0; i < COUNT; i++) await Promise.all([from.next('gone'), to.next('gone')]);
    right.heal();
    const lanes = await punched(meeting, 3);
    t.diagnostic(`again after ${lanes.map(({ ms }) => `${ms} ms`).join(', ')}`);
  });

  it('hellos that come again while lanes are up leave them alone', async () => {
    const meeting = await meet('cone', 'cone');
    const { from, to, ours } = meeting;
    await punched(meeting);
    const others = (ours.candidates as { host: string; port: number }[]).toReversed();
    for (const peer of [ours.candidates, others, ours.candidates]) from.tell({ do: 'punch', peer });
    to.tell({ do: 'echo', bytes: 100_000 });
    const events = await to.until('echoed');
    assert.deepEqual(
      events.map(({ event }) => event),
      ['echoed'],
    );
    assert.equal(events[0]!.lanes, COUNT);
  });

  it('symmetric: its mappings are known to be of no use, and a peer that tries them gives up in time', async () => {
    const { from, to, theirs, ours } = await meet('symmetric', 'cone');
    assert.equal(theirs.dependent, true);
    assert.deepEqual(theirs.candidates, []);
    assert.equal(ours.dependent, false);
    from.tell({ do: 'punch', peer: ours.candidates });
    to.tell({ do: 'punch', peer: theirs.mapped, pin: theirs.pin });
    const events = await to.until('round');
    const failed = events.filter(({ event }) => event === 'failed');
    assert.equal(failed.length, COUNT);
    for (const { code, ms, message } of failed) {
      assert.equal(code, 'TIMEOUT', String(message));
      assert.match(String(message), /\(punched\) came up in time/);
      assert.ok((ms as number) < LANE_OPEN_DEADLINE + SLACK, `${ms} ms`);
    }
  });
});
