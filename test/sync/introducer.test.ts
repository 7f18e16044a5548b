/** Whom an origin introduces to whom, and what it passes on. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_NEIGHBOURS } from '../../src/base/limits.ts';
import { Introducer, type Member } from '../../src/sync/introducer.ts';
import type { Message } from '../../src/wire/messages.ts';
import { randomFrom, seed } from '../seed.ts';
import { VirtualClock } from '../virtual-clock.ts';

class Guest {
  readonly told: Message[] = [];
  member!: Member;
  /** By the latest list. */
  named: { id: number; dials: boolean }[] = [];
  seq = 0;

  readonly tell = (message: Message) => {
    this.told.push(message);
    if (message.type !== 'members') return;
    assert.ok(message.seq > this.seq, 'a list is numbered higher than the one before');
    this.seq = message.seq;
    this.named = message.all;
  };
}

function world(start = seed) {
  const clock = new VirtualClock();
  const random = randomFrom(start);
  const introducer = new Introducer(clock, random);
  const guests: Guest[] = [];
  const join = () => {
    const guest = new Guest();
    guest.member = introducer.join(guest.tell);
    guests.push(guest);
    return guest;
  };
  return { clock, random, introducer, guests, join };
}

/** Every list is what the introducer holds, of few, known to each other, and one of two dials. */
function checkLists(guests: readonly Guest[]) {
  const byId = new Map(guests.map((guest) => [guest.member.id, guest]));
  for (const { member, named } of guests) {
    assert.ok(named.length <= MAX_NEIGHBOURS);
    assert.deepEqual(named.map(({ id }) => id).sort(), [...member.links.keys()].map(({ id }) => id).sort());
    for (const { id, dials } of named) {
      assert.notEqual(id, member.id);
      const back = byId.get(id)?.named.find((each) => each.id === member.id);
      assert.equal(back?.dials, !dials);
    }
  }
}

function reached(from: Guest): number {
  const seen = new Set<Member>([from.member]);
  for (const member of seen) for (const other of member.links.keys()) seen.add(other);
  return seen.size;
}

describe('an origin introduces its receivers', () => {
  it('each to few, and so that all are connected, whoever comes and goes', () => {
    for (let run = 0; run < 30; run++) {
      const { random, introducer, guests, join } = world(seed + run);
      for (let step = 0; step < 120; step++) {
        if (guests.length === 0 || random() < 0.6) join();
        else introducer.leave(guests.splice(Math.floor(random() * guests.length), 1)[0]!.member);
        checkLists(guests);
        if (guests[0]) assert.equal(reached(guests[0]), guests.length, `seed ${seed + run}, step ${step}`);
      }
    }
  });

  it('all to each other while they are few, and a late one to at least four', () => {
    const { guests, join } = world();
    for (let i = 0; i < 9; i++) join();
    for (const { named } of guests) assert.equal(named.length, 8);
    for (let i = 0; i < 30; i++) {
      const { named } = join();
      assert.ok(named.length >= 4, `${named.length} neighbours`);
      checkLists(guests);
    }
  });

  it('never again those who did not get on, and finds others for both', () => {
    const { introducer, guests, join } = world();
    for (let i = 0; i < 20; i++) join();
    const [one] = guests;
    const refused = new Set<number>();
    for (let i = 0; i < 200 && one!.named.length > 0; i++) {
      const { id } = one!.named[0]!;
      assert.ok(!refused.has(id));
      refused.add(id);
      introducer.refuse(one!.member, id);
      checkLists(guests);
    }
    // A liar about everybody is alone in the end; the others are not.
    assert.equal(one!.named.length, 0);
    assert.ok(refused.size >= 8, `${refused.size} refused`);
    for (const { named } of guests.slice(1)) assert.ok(named.length >= 4, `${named.length} neighbours`);
    const before = guests.map(({ told }) => told.length);
    introducer.refuse(one!.member, guests[1]!.member.id);
    assert.deepEqual(
      guests.map(({ told }) => told.length),
      before,
    );
  });

  it('anew to those who could not reach it, when it was away and is back', () => {
    const { introducer, guests, join } = world();
    for (let i = 0; i < 4; i++) join();
    const [away, ...others] = guests as [Guest, ...Guest[]];
    for (const { member } of others) introducer.refuse(member, away.member.id);
    assert.deepEqual(away.named, []);
    introducer.returned(away.member);
    assert.equal(away.named.length, 3);
    checkLists(guests);
    const told = away.told.length;
    introducer.returned(away.member);
    assert.equal(away.told.length, told);
  });

  it('passes on what one says to a neighbour, to nobody else, and says it again on a new lane', () => {
    const { introducer, guests, join } = world();
    for (let i = 0; i < 3; i++) join();
    const [one, other, third] = guests as [Guest, Guest, Guest];
    introducer.say(one.member, other.member.id, { seq: 1, body: 'where I am' });
    const passed = { type: 'signal', member: one.member.id, seq: 1, body: 'where I am' };
    assert.deepEqual(other.told.at(-1), passed);
    assert.ok(third.told.every(({ type }) => type === 'members'));
    const [list, ...words] = introducer.standing(other.member);
    assert.equal(list!.type, 'members');
    assert.deepEqual(words, [passed]);
    introducer.leave(one.member);
    assert.deepEqual(introducer.standing(other.member).slice(1), []);
    const before = other.told.length;
    introducer.say(one.member, other.member.id, { seq: 2, body: 'too late' });
    introducer.say(other.member, 99, { seq: 1, body: 'to nobody' });
    assert.equal(other.told.length, before);
  });

  it('the latest of what comes too fast, and not more often than once a second', async () => {
    const { clock, introducer, guests, join } = world();
    const [one, other] = [join(), join()];
    for (let seq = 1; seq <= 10_000; seq++)
      introducer.say(one.member, other.member.id, { seq, body: `${seq}` });
    const bodies = () => other.told.flatMap((message) => (message.type === 'signal' ? [message.body] : []));
    assert.equal(bodies().length, 8);
    await clock.pass(60_000);
    assert.deepEqual(bodies().slice(8), ['10000']);
    introducer.say(one.member, other.member.id, { seq: 3, body: 'out of order' });
    assert.equal(bodies().length, 9);
    for (const { member } of guests) introducer.leave(member);
    assert.equal(clock.waiting, 0);
  });
});
