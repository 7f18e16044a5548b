/** Room for strangers' connections, and who counts as one address in it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressKey } from '../../src/base/addresses.ts';
import { Room, type RoomLimits, type RoomWay } from '../../src/base/room.ts';

test('IPv4 counts by address, IPv6 by /64, mapped IPv4 as IPv4', () => {
  assert.equal(addressKey('192.0.2.1'), '192.0.2.1');
  assert.equal(addressKey('::ffff:192.0.2.1'), '192.0.2.1');
  const same = ['2001:db8::1', '2001:0db8:0:0:ffff::1', '2001:db8:0:0:1:2:3:4', '2001:db8::1.2.3.4'];
  for (const address of same) assert.equal(addressKey(address), '2001:db8::/64', address);
  assert.notEqual(addressKey('2001:db8:0:1::1'), addressKey('2001:db8::1'));
  assert.equal(addressKey('fe80::1%eth0'), addressKey('fe80::2%eth0'));
  assert.equal(addressKey('::1'), '::/64');
  assert.equal(addressKey('1:2:3:4:5:6:7::'), '1:2:3:4::/64');
});

function roomOf(limits: RoomLimits, way: RoomWay) {
  const out: string[] = [];
  const room = new Room<string>(limits, way, (member) => out.push(member));
  return { room, out };
}

test('a full address makes way for its own newcomer, and for nobody else', () => {
  const { room, out } = roomOf({ inAll: 10, ofAddress: 2 }, 'oldest');
  for (const each of ['a1', 'a2', 'a3']) assert.ok(room.enter('a', each));
  assert.deepEqual(out, ['a1']);
  assert.ok(room.enter('b', 'b1'));
  assert.deepEqual([out, room.size, room.of('a'), room.of('b')], [['a1'], 3, 2, 1]);
  room.leave('a1');
  assert.equal(room.of('a'), 2, 'who was put out counts once');
  room.leave('a2');
  assert.ok(room.enter('a', 'a4'));
  assert.deepEqual(out, ['a1']);
});

test('in a full room the oldest of the busiest address goes first', () => {
  const { room, out } = roomOf({ inAll: 5, ofAddress: 4 }, 'oldest');
  for (const each of ['b1', 'a1', 'a2', 'a3', 'b2']) assert.ok(room.enter(each[0]!, each));
  assert.ok(room.enter('c', 'c1'));
  assert.deepEqual(out, ['a1']);
  // Now two hold two: the newcomer's own if it is one of them, else the one that has held so many for longest.
  assert.ok(room.enter('a', 'a4'));
  assert.deepEqual(out, ['a1', 'a2']);
  assert.ok(room.enter('d', 'd1'));
  assert.deepEqual(out, ['a1', 'a2', 'b1']);
  assert.deepEqual([room.size, room.has('c1'), room.has('b1')], [5, true, false]);
});

test('who works is put out only by a smaller address, and the newcomer is refused else', () => {
  const { room, out } = roomOf({ inAll: 4, ofAddress: 3 }, 'fair');
  for (const each of ['a1', 'a2', 'a3']) assert.ok(room.enter('a', each));
  assert.equal(room.enter('a', 'a4'), false);
  assert.equal(room.refusal('a'), 'address');
  assert.ok(room.enter('b', 'b1'));
  assert.ok(room.enter('b', 'b2'));
  assert.deepEqual(out, ['a1']);
  assert.equal(room.enter('a', 'a4'), false);
  assert.equal(room.refusal('a'), 'all');
  assert.ok(room.enter('c', 'c1'));
  assert.equal(out.length, 2);
  assert.ok(room.enter('d', 'd1'));
  assert.equal(room.enter('e', 'e1'), false, 'all are equal: who is there stays');
  assert.equal(room.size, 4);
});

test('12,800 silent ones of 100 addresses never keep out, nor put out, one of another address', () => {
  const { room, out } = roomOf({ inAll: 2_000, ofAddress: 128 }, 'oldest');
  let at = 0;
  const flood = () => {
    const key = `flood ${at % 100}`;
    room.enter(key, `${key} ${at++}`);
  };
  for (let i = 0; i < 12_800; i++) flood();
  assert.ok(room.enter('honest', 'honest'));
  for (let i = 0; i < 12_800; i++) flood();
  assert.ok(room.has('honest'));
  assert.equal(room.size, 2_000);
  assert.ok(!out.includes('honest'));
});

test('whatever comes and goes, the counts are right', () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), leave: fc.option(fc.nat(20)) });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.constantFrom<RoomWay>('oldest', 'fair'),
      (steps, way) => {
        const inside = new Map<number, string>();
        const room = new Room<number>({ inAll: 6, ofAddress: 4 }, way, (member) => {
          const counts = [...new Set(inside.values())].map((key) => room.of(key));
          const key = inside.get(member)!;
          // Itself no longer counted.
          if (inside.size === 6) assert.ok(room.of(key) + 1 >= Math.max(...counts));
          inside.delete(member);
        });
        steps.forEach(({ key, leave }, at) => {
          if (leave !== null) {
            room.leave(leave);
            inside.delete(leave);
          }
          const refusal = room.refusal(key);
          const entered = room.enter(key, at);
          assert.equal(entered, refusal === undefined);
          if (entered) inside.set(at, key);
          assert.equal(room.size, inside.size);
          assert.ok(room.size <= 6);
          for (const each of ['a', 'b', 'c', 'd']) {
            const here = [...inside.values()].filter((one) => one === each).length;
            assert.equal(room.of(each), here);
            assert.ok(here <= 4);
          }
        });
      },
    ),
  );
});
