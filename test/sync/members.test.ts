/** What a receiver makes of whom the origin introduces. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_NEIGHBOURS } from '../../src/base/limits.ts';
import { type Introduction, Members } from '../../src/sync/members.ts';
import type { Message } from '../../src/wire/messages.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { FakeLane } from './harness.ts';

interface Met extends Introduction {
  heard: string[];
  end?: 'forgotten' | 'ended';
}

function receiver(resting = false) {
  const clock = new VirtualClock();
  const met: Met[] = [];
  const told: Message[] = [];
  const members = new Members(
    clock,
    resting,
    (introduction) => {
      const one: Met = { ...introduction, heard: [] };
      met.push(one);
      return {
        hear: (body) => void one.heard.push(body),
        forget: () => {
          one.end = 'forgotten';
        },
        end: () => {
          one.end = 'ended';
        },
      };
    },
    (message) => void told.push(message),
  );
  let seq = 0;
  const name = (...ids: number[]) =>
    members.named({ type: 'members', seq: ++seq, all: ids.map((id) => ({ id, dials: id % 2 === 0 })) });
  const says = (member: number, seq: number, body: string) =>
    members.signal({ type: 'signal', member, seq, body });
  return { clock, met, told, members, name, says };
}

describe('the members that an origin names', () => {
  it('are met once, hear each other through it, and are forgotten when they are named no more', () => {
    const { met, told, name, says } = receiver();
    name(1, 2);
    name(1, 2);
    assert.deepEqual(
      met.map(({ dials }) => dials),
      [false, true],
    );
    says(2, 1, 'here I am');
    met[1]!.say('and I here');
    assert.deepEqual(met[1]!.heard, ['here I am']);
    assert.deepEqual(told, [{ type: 'signal', member: 2, seq: 1, body: 'and I here' }]);
    met[0]!.refuse();
    assert.deepEqual(told.at(-1), { type: 'refuse', member: 1 });
    name(2, 3);
    assert.deepEqual(
      met.map(({ end }) => end),
      ['forgotten', undefined, undefined],
    );
    met[0]!.refuse();
    assert.equal(told.length, 2);
  });

  it('are the latest list’s and the latest word’s, whatever order lanes bring them in', () => {
    const { met, members, says } = receiver();
    says(7, 2, 'early');
    says(7, 1, 'earlier');
    members.named({ type: 'members', seq: 5, all: [{ id: 7, dials: true }] });
    members.named({ type: 'members', seq: 4, all: [{ id: 8, dials: true }] });
    assert.equal(met.length, 1);
    says(7, 2, 'early');
    says(7, 3, 'late');
    says(7, 1, 'again');
    assert.deepEqual(met[0]!.heard, ['early', 'late']);
  });

  it('are told again on a new lane what they were told', () => {
    const { met, members, name } = receiver();
    name(1, 2);
    met[0]!.say('old');
    met[0]!.say('new');
    const next = new FakeLane();
    members.addLane(next);
    assert.deepEqual(next.sent, [{ type: 'share' }, { type: 'signal', member: 1, seq: 2, body: 'new' }]);
  });

  it('end with a pause and with the origin’s process; after them those are met who are named then', () => {
    const { met, members, name } = receiver();
    name(1);
    members.rest();
    assert.equal(met[0]!.end, 'ended');
    name(2);
    assert.equal(met.length, 1);
    members.run();
    assert.equal(met.length, 2);
    members.restart();
    assert.equal(met[1]!.end, 'ended');
    members.named({ type: 'members', seq: 1, all: [{ id: 1, dials: false }] });
    assert.equal(met.length, 3);
    members.stop();
    assert.equal(met[2]!.end, 'forgotten');
  });

  it('protects from: an origin that names new members and says things without end', async () => {
    const { clock, met, members, name, says } = receiver();
    for (let id = 1; id <= 10_000; id++) {
      name(id);
      says(id + 1, 1, 'x');
    }
    assert.equal(met.length, 32);
    await clock.pass(8_000);
    for (let id = 20_001; id <= 20_100; id++) name(id);
    assert.equal(met.length, 34);
    const last = met.at(-1)!;
    assert.equal(last.end, 'forgotten');
    name(30_000);
    const many = met.length;
    await clock.pass(4_000);
    assert.equal(met.length, many + 1, 'one that there was no allowance for is met later');
    await clock.pass(4_000);
    name(30_001);
    const one = met.at(-1)!;
    for (let seq = 1; seq <= 10_000; seq++) says(30_001, seq, `${seq}`);
    await clock.pass(30_000);
    assert.deepEqual([one.heard.length, one.heard.at(-1)], [9, '10000']);
    // Words of those who are not named: as many as there may be neighbours.
    for (let id = 50_000; id < 60_000; id++) says(id, 1, 'x');
    await clock.pass(60_000);
    const before = met.length;
    name(50_000);
    assert.deepEqual(
      met.slice(before).map(({ heard }) => heard),
      [[]],
    );
    name(60_000 - MAX_NEIGHBOURS);
    assert.deepEqual(met.at(-1)!.heard, ['x']);
    members.stop();
    assert.equal(clock.waiting, 0);
  });
});
