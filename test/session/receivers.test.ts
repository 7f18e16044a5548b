/** Several receivers of one offer: who is let in, who is told what, and when the whole ends; on a virtual clock, without lanes. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { nameOfPlace } from '../../src/identity/return-secret.ts';
import { fromCode } from '../../src/identity/secret.ts';
import type { Mailbox } from '../../src/meeting/ports.ts';
import type { TransferEvent } from '../../src/session/api.ts';
import { DeliveryError } from '../../src/session/delivery.ts';
import { Guesses } from '../../src/session/guesses.ts';
import { Handshake } from '../../src/session/handshake.ts';
import type { Platform } from '../../src/session/ports.ts';
import { type Group, Receivers } from '../../src/session/receivers.ts';
import type { Session } from '../../src/session/session.ts';
import { Running } from '../../src/session/transfer.ts';
import type { Peer } from '../../src/sync/peer.ts';
import { NO_SERVICES } from '../../src/wire/rendezvous.ts';
import { hashing } from '../hashing.ts';
import { helloOf } from '../hello.ts';
import { settled, VirtualClock } from '../virtual-clock.ts';
import { pake } from './fakes.ts';

const WORDS = 'three-right-words';
const secret = fromCode({ nameplate: '7', password: WORDS });

const engine: Peer = {
  ...{ awaits: undefined, restartable: true },
  ...{ addLane: () => {}, removeLane: () => {}, message: () => {} },
  ...{ restart: () => {}, rest: () => {}, run: () => {}, stop: () => {} },
};

/** A sender that has `most` receivers, and all who come to its mailbox. @param devices one receiver by each of so many secrets */
function offer(most: number, devices = 0) {
  const clock = new VirtualClock();
  const platform: Platform = {
    ...{ clock, agent: 'test', random: () => 0, ...hashing, pake },
    allocate: (bytes) => new Uint8Array(bytes),
  };
  const events: TransferEvent[] = [];
  const audits: string[] = [];
  const transfer = new Running('sender', platform, {});
  transfer.subscribe((event) => events.push(event));
  const opened: Session[] = [];
  const open = (session: Session, _group: Group) => {
    opened.push(session);
    const network = {
      ...{ kinds: [], peer: () => {}, close: () => {} },
      hello: () => helloOf({ fingerprint: `${session.id}`.padStart(64, 'f') }),
    };
    session.open({ engine, network, known: { secret } });
  };
  const made = { joinable: true, moved: { bytes: 5, resumed: 0, seconds: 1 } };
  const receivers = new Receivers(transfer, most > 1 || devices > 1, {
    ...{ platform, open },
    joinable: () => made.joinable,
    moved: () => made.moved,
    ended: (session, end) => {
      audits.push(`${session.id} ${'result' in end ? 'done' : end.error.code}`);
      return made.moved;
    },
    keep: async () => ({
      receipt: `of ${audits.filter((line) => line.endsWith('done')).length}`,
      root: 'cd',
    }),
  });
  const groups =
    devices > 0
      ? Array.from({ length: devices }, (_, at) => receivers.group(1, 'device', `device ${at}`))
      : [receivers.group(most, 'code')];
  const [group] = groups as [Group];
  const guests = new Map<number, (body: string) => void>();
  /** What each was told. */
  const said = new Map<number, string[]>();
  const dropped: number[] = [];
  const kept: number[] = [];
  const mailbox: Mailbox = {
    ...{ nameplate: '7', token: '', services: NO_SERVICES },
    send: (body, guest) => guests.get(guest!)?.(body),
    drop: (guest) => void dropped.push(guest),
    keep: (guest) => void kept.push(guest),
    guests: most,
    ...{ reconnect: () => {}, close: () => {} },
  };
  transfer.begin();
  for (const group of groups) {
    open(group.spare!, group);
    group.lobby.open(mailbox, { secret: devices > 0 ? { ...secret, way: 'device' } : secret });
  }

  /** Somebody comes to the mailbox, and says what a receiver with this password does. */
  function guest(
    number: number,
    {
      password = WORDS,
      place,
      as = number,
      says,
      device = 0,
    }: { password?: string; place?: string; as?: number; says?: string; device?: number } = {},
  ) {
    const { lobby } = groups[device]!;
    const made = { met: '', error: undefined as BeelineError | undefined };
    const fingerprint = `${as}`.padStart(64, '0');
    const handshake = new Handshake({
      ...{ role: 'receiver', pake, guesses: new Guesses(1), admit: () => true },
      secret: fromCode({ nameplate: '7', password }),
      hello: () => helloOf({ fingerprint, ...(place && { place }) }),
      send: (body) => {
        const named = JSON.parse(body).k === 'back' && says !== undefined;
        lobby.events.onMessage(named ? says : body, number);
      },
      onHello: (hello) => {
        made.met = hello.fingerprint.replace(/^f+/, '');
      },
      ...{ onWord: () => {}, onFail: (error) => (made.error ??= error) },
    });
    const bodies: string[] = [];
    said.set(number, bodies);
    guests.set(number, (body) => {
      bodies.push(body);
      handshake.receive(body);
    });
    handshake.peerAppeared();
    lobby.events.onPeer(true, number);
    return Object.assign(made, {
      leave: () => lobby.events.onPeer(false, number),
      say: (body: string) => lobby.events.onMessage(body, number),
    });
  }
  const session = (id: number) => opened.find((each) => each.id === id)!;
  const result = { files: 1, bytes: 5, resumed: 0, seconds: 1, root: 'ab', skipped: [] };
  /** The receiver of a session has everything. */
  async function completes(id: number) {
    session(id).dispatch('lane-up');
    session(id).agreed();
    session(id).complete({ ...result, peer: session(id).peer.fingerprint });
    await clock.pass(2_000);
  }
  const named = (name: TransferEvent['event']) => events.filter(({ event }) => event === name);
  return {
    made,
    clock,
    platform,
    transfer,
    receivers,
    group,
    groups,
    guest,
    heard: (number: number) => said.get(number)!,
    dropped,
    kept,
    session,
    opened,
    completes,
    audits,
    named,
  };
}

it('each who has the code gets a session of its own, and no more than are wanted', async () => {
  const { guest, clock, opened, named, kept } = offer(3);
  const met = [];
  for (const number of [4, 5, 6, 7]) {
    met.push(guest(number));
    await clock.pass(1);
  }
  assert.deepEqual(
    met.map(({ met }) => met),
    ['1', '2', '3', ''],
  );
  assert.equal(met[3]!.error?.reason, 'OFFER_FULL');
  assert.deepEqual(kept, [4, 5, 6], 'those keep their places at the mailbox');
  assert.equal(opened.length, 3);
  assert.deepEqual(
    named('peer').map((event) => event.event === 'peer' && event.peer),
    [1, 2, 3],
  );
});

it('two who come in one moment, before another session is ready, are both served', async () => {
  const { guest, clock } = offer(2);
  const first = guest(1);
  const second = guest(2);
  await clock.pass(1);
  assert.deepEqual([first.met, second.met], ['1', '2']);
});

it('three wrong guesses burn the code for all who come, and those who are there go on', async () => {
  const { guest, clock, transfer, named, completes, audits } = offer(5);
  const right = guest(1);
  await clock.pass(1);
  const wrong = [2, 3, 4].map((number) => guest(number, { password: `guess-${number}` }));
  assert.deepEqual(
    wrong.map(({ error }) => error?.reason),
    ['CODE_WRONG_YET', 'CODE_WRONG_YET', 'CODE_WRONG'],
  );
  assert.equal(guest(5).error?.reason, 'CODE_BURNT');
  assert.equal(right.met, '1');
  assert.deepEqual(
    named('warning').map(
      (event) =>
        event.event === 'warning' && [event.reason, event.message.match(/\d of \d/)?.[0], event.values],
    ),
    [
      ['CODE_GUESSED', '1 of 3', { tries: 1, most: 3 }],
      ['CODE_GUESSED', '2 of 3', { tries: 2, most: 3 }],
      ['CODE_GUESSED_OUT', undefined, undefined],
    ],
  );
  assert.equal(transfer.ends, false);
  await completes(1);
  await assert.rejects(transfer.done, { code: 'WRONG_CODE' });
  assert.deepEqual(audits, ['1 done']);
});

it('a code that is burnt before anybody has proved anything ends the offer, with a message on both sides', async () => {
  const { guest, clock, transfer } = offer(5);
  const waiting = guest(9, { password: 'late' });
  for (const number of [1, 2]) guest(number, { password: 'guess' });
  assert.equal(waiting.error?.reason, 'CODE_WRONG_YET');
  await clock.pass(2_000);
  await assert.rejects(transfer.done, { code: 'WRONG_CODE', reason: 'CODE_GUESSED_OUT' });
});

it('who is started again gets its own session, unless the first one is still there', async () => {
  const place = 'ab'.repeat(16);
  const { guest, clock, session } = offer(3);
  const first = guest(1, { place });
  await clock.pass(1);
  assert.equal(guest(2, { place }).met, '2', 'two at once are two');
  await clock.pass(1);
  first.leave();
  assert.equal(session(1).deserted, true);
  assert.equal(guest(3, { place }).met, '1');
  assert.equal(guest(4).met, '3');
});

it('with all places taken, one who comes gets that of one who is gone', async () => {
  const { guest, clock } = offer(2);
  const [first] = [guest(1)];
  await clock.pass(1);
  guest(2);
  await clock.pass(1);
  assert.equal(guest(3).error?.reason, 'OFFER_FULL');
  first!.leave();
  assert.equal(guest(4).met, '1');
});

it('what a stranger says ends nothing, and a silent one is put out', async () => {
  const { guest, clock, transfer, dropped, opened } = offer(2);
  const stranger = guest(1, { password: 'no' });
  for (const body of [
    '',
    '{',
    '{"k":"refuse","code":"WRONG_CODE"}',
    '{"k":"sealed","sealed":"00"}',
    'x'.repeat(9999),
  ])
    stranger.say(body);
  await clock.pass(31_000);
  assert.deepEqual([transfer.ends, dropped, opened.length], [false, [1], 1]);
  assert.equal(guest(2).met, '1');
});

it('the whole ends when as many have it as were wanted; one who declines counts, one who fails may come again', async () => {
  const { guest, clock, transfer, session, completes, named } = offer(2);
  guest(1);
  await clock.pass(1);
  session(1).fail(new BeelineError('NO_PATH', 'no way'));
  await clock.pass(2_000);
  guest(2);
  await clock.pass(1);
  guest(3);
  await clock.pass(1);
  await completes(2);
  session(3).fail(new BeelineError('REFUSED', 'no'), 'peer');
  await clock.pass(2_000);
  await settled();
  assert.deepEqual(
    named('ended').map((event) => event.event === 'ended' && [event.peer, event.ok, event.code]),
    [
      [1, false, 'NO_PATH'],
      [2, true, undefined],
      [3, false, 'REFUSED'],
    ],
  );
  const error = await transfer.done.then(
    () => assert.fail('one declined'),
    (thrown) => thrown,
  );
  assert.ok(error instanceof DeliveryError && error instanceof BeelineError);
  assert.deepEqual([error.code, error.message, error.receipt], ['REFUSED', '1 of 2 received it. no', 'of 1']);
  assert.deepEqual(
    error.receivers.map(({ peer, ok, bytes, error }) => [peer, ok, bytes, error?.code]),
    [
      [1, false, 5, 'NO_PATH'],
      [2, true, 5, undefined],
      [3, false, 5, 'REFUSED'],
    ],
  );
});

it('one record is made when all have it, and the result names each', async () => {
  const { guest, clock, transfer, completes, named } = offer(2);
  for (const number of [1, 2]) {
    guest(number);
    await clock.pass(1);
  }
  await completes(1);
  assert.equal(named('done').length, 0);
  await completes(2);
  const { receipt, root, receivers } = await transfer.done;
  assert.deepEqual([receipt, root], ['of 2', 'cd']);
  assert.deepEqual(
    receivers?.map(({ peer, fingerprint, ok, seconds }) => [peer, Number(fingerprint), ok, seconds]),
    [
      [1, 1, true, 1],
      [2, 2, true, 1],
    ],
  );
});

it('closed before as many came as were wanted, it says how many have it', async () => {
  const { guest, clock, transfer, receivers, completes } = offer(3);
  guest(1);
  await clock.pass(1);
  receivers.admitNoMore();
  await completes(1);
  await assert.rejects(transfer.done, { code: 'NO_PEER', reason: 'TOO_FEW_CAME', message: /1 of 3/ });
});

it('with any number it goes on until it is closed, and has worked if somebody has it', async () => {
  const { guest, clock, transfer, receivers, completes } = offer(Number.POSITIVE_INFINITY);
  for (const number of [1, 2, 3]) {
    guest(number);
    await clock.pass(1);
    await completes(number);
  }
  assert.equal(transfer.ends, false);
  receivers.admitNoMore();
  await clock.pass(2_000);
  assert.equal((await transfer.done).bytes, 5);
});

it('with any number, who stops it while nobody is receiving has what was wanted; who cuts somebody off has not', async () => {
  for (const cut of [false, true])
    for (const how of ['interrupt', 'cancel']) {
      const { guest, clock, transfer, completes } = offer(Number.POSITIVE_INFINITY);
      guest(1);
      await clock.pass(1);
      await completes(1);
      if (cut) guest(2);
      await clock.pass(1);
      if (how === 'cancel') transfer.cancel();
      else transfer.fail(new BeelineError('INTERRUPTED', 'enough'));
      await clock.pass(2_000);
      if (cut) await assert.rejects(transfer.done, { code: how === 'cancel' ? 'CANCELLED' : 'INTERRUPTED' });
      else assert.equal((await transfer.done).receipt, 'of 1');
    }
});

it('one receiver that is under way is not cut off when nobody else is let in', async () => {
  const { guest, clock, transfer, completes } = offer(1);
  guest(1);
  await clock.pass(1);
  transfer.admitNoMore();
  await clock.pass(2_000);
  assert.equal(transfer.ends, false);
  await completes(1);
  assert.equal((await transfer.done).bytes, 5);
});

it('a person lets nobody else in, and who is under way goes on', async () => {
  const { guest, clock, transfer, completes } = offer(Number.POSITIVE_INFINITY);
  guest(1);
  await clock.pass(1);
  transfer.admitNoMore();
  const late = guest(2);
  await clock.pass(1);
  assert.equal(late.error?.reason, 'OFFER_CLOSED');
  await completes(1);
  assert.equal((await transfer.done).receivers?.length, 1);
});

it('closed before it has a code, it says that nobody came', async () => {
  const { platform } = offer(1);
  const transfer = new Running('sender', platform, {});
  transfer.admitNoMore();
  await assert.rejects(transfer.done, { code: 'NO_PEER', reason: 'NOBODY_CAME' });
});

it('closed before anybody came, it says so', async () => {
  const { clock, transfer, receivers } = offer(Number.POSITIVE_INFINITY);
  receivers.admitNoMore();
  await clock.pass(2_000);
  await assert.rejects(transfer.done, { code: 'NO_PEER', reason: 'NOBODY_CAME' });
});

it('cancelled, every session ends, and no wait is left', async () => {
  const { guest, clock, transfer, audits } = offer(3);
  for (const number of [1, 2]) {
    guest(number);
    await clock.pass(1);
  }
  transfer.cancel();
  await clock.pass(2_000);
  await assert.rejects(transfer.done, { code: 'CANCELLED' });
  assert.deepEqual(audits, ['1 CANCELLED', '2 CANCELLED']);
  assert.equal(clock.waiting, 0);
});

it('ended between two sessions, while none is there, it ends all the same', async () => {
  const { guest, clock, transfer, session } = offer(2);
  guest(1);
  guest(2);
  for (const id of [1, 2]) session(id).fail(new BeelineError('NO_PATH', 'no way'));
  transfer.subscribe((event) => event.event === 'ended' && event.peer === 2 && transfer.cancel());
  await clock.pass(2_000);
  await assert.rejects(transfer.done, { code: 'CANCELLED' });
  assert.equal(clock.waiting, 0);
});

it('stopped between two sessions, it still names those who have everything, and keeps the record', async () => {
  const { guest, clock, transfer, completes } = offer(Number.POSITIVE_INFINITY);
  guest(1);
  await clock.pass(1);
  transfer.subscribe((event) => event.event === 'ended' && transfer.cancel());
  await completes(1);
  await clock.pass(2_000);
  const { receipt, receivers } = await transfer.done;
  assert.deepEqual([receipt, receivers?.length], ['of 1', 1]);
});

it('who says that it is the process of another receiver has no session, and says nothing for that one', async () => {
  const { guest, clock, session } = offer(3);
  const place = 'ab'.repeat(16);
  const first = guest(1, { place });
  await clock.pass(1);
  session(1).dispatch('lane-up');
  const liar = guest(2, { as: 1 });
  assert.equal(liar.error?.reason, 'OFFER_FULL');
  first.leave();
  assert.equal(guest(3, { as: 1 }).error?.reason, 'OFFER_FULL', 'nor while it is not at the mailbox');
  assert.equal(guest(4, { as: 1, place }).met, '1', 'unless it is that very one');
  assert.equal(session(1).state, 'transferring');
});

it('a stream that has begun takes nobody new: who fails leaves the others to finish', async () => {
  const { guest, clock, session, completes, opened, made, transfer } = offer(2);
  for (const number of [1, 2]) {
    guest(number);
    await clock.pass(1);
  }
  made.joinable = false;
  session(1).fail(new BeelineError('NO_PATH', 'gone'));
  await clock.pass(2_000);
  assert.equal(opened.length, 2);
  await completes(2);
  await assert.rejects(transfer.done, { code: 'NO_PATH' });
});

it('what the other side resumes stays resumed, and who comes to a paused offer begins paused', async () => {
  const { guest, clock, session, transfer } = offer(2);
  guest(1);
  await clock.pass(1);
  session(1).dispatch('lane-up');
  transfer.pause();
  assert.equal(session(1).state, 'paused');
  session(1).dispatch('resume', { by: 'peer' });
  assert.equal(session(1).state, 'transferring');
  guest(2);
  await clock.pass(1);
  transfer.resume();
  session(2).dispatch('lane-up');
  assert.equal(session(2).state, 'transferring');
});

it('who proves itself and never comes is given up, also if it has left, and makes room', async () => {
  const { guest, clock, receivers, transfer, named } = offer(Number.POSITIVE_INFINITY);
  const first = guest(1);
  const second = guest(2);
  first.leave();
  second.leave();
  await clock.pass(35_000);
  assert.equal(named('ended').length, 2);
  receivers.admitNoMore();
  await clock.pass(5_000);
  await assert.rejects(transfer.done, { code: 'NO_PATH' });
  assert.equal(clock.waiting, 0);
});

it('two who appear before either has answered both have a time for their first lane', async () => {
  const { guest, clock, session } = offer(3);
  guest(1);
  guest(2);
  assert.deepEqual([session(1).state, session(2).state], ['authenticating', 'authenticating']);
  await clock.pass(35_000);
  assert.ok(session(1).over && session(2).over);
});

it('after the time is up nobody new is let in, but one who was there may be started again', async () => {
  const place = 'cd'.repeat(16);
  const { guest, clock, session, receivers, completes, transfer } = offer(Number.POSITIVE_INFINITY);
  const first = guest(1, { place });
  await clock.pass(1);
  session(1).dispatch('lane-up');
  receivers.admitNoMore();
  assert.equal(guest(2).error?.reason, 'OFFER_CLOSED');
  session(1).dispatch('lanes-lost');
  first.leave();
  assert.equal(guest(3, { place }).met, '1');
  await completes(1);
  assert.equal((await transfer.done).bytes, 5);
});

it('a session that is ending is nobody’s, and its place is free at once if it failed', async () => {
  const place = 'ef'.repeat(16);
  const { guest, clock, session } = offer(1 + 1);
  const first = guest(1, { place });
  await clock.pass(1);
  guest(2);
  await clock.pass(1);
  session(1).fail(new BeelineError('NO_PATH', 'no way'));
  first.leave();
  assert.equal(guest(3, { place }).met, '3');
});

for (const most of [1, 3])
  it(`who was there before comes back though strangers have burnt the code; nobody else does (${most})`, async () => {
    const place = 'ab'.repeat(16);
    const { guest, clock, session, transfer, completes, dropped } = offer(most);
    const first = guest(1, { place });
    await clock.pass(1);
    session(1).dispatch('lane-up');
    for (const number of [2, 3, 4]) guest(number, { password: `guess-${number}` });
    assert.equal(guest(5, { place }).error?.reason, 'CODE_BURNT', 'while it is there itself');
    session(1).dispatch('lanes-lost');
    first.leave();
    assert.equal(guest(6).error?.reason, 'CODE_BURNT', 'the right words alone');
    assert.equal(guest(7, { place: 'cd'.repeat(16) }).error?.reason, 'CODE_BURNT', 'and a place of its own');
    assert.equal(
      guest(8, { place, password: 'guess' }).error?.code,
      'WRONG_CODE',
      'a place without the words',
    );
    assert.ok([7, 8].every((number) => dropped.includes(number)));
    assert.equal(guest(9, { place }).met, '1');
    await completes(1);
    const { receivers } = await transfer.done.catch((error: DeliveryError) => error);
    assert.deepEqual(
      receivers?.map(({ peer, ok }) => [peer, ok]),
      [[1, true]],
    );
  });

it('who knows the name of a place, and the words, is not the one who has it', async () => {
  const place = 'ab'.repeat(16);
  const { guest, clock, session, named, heard } = offer(3);
  const first = guest(1, { place });
  await clock.pass(1);
  session(1).dispatch('lane-up');
  session(1).dispatch('lanes-lost');
  first.leave();
  for (const number of [2, 3, 4]) guest(number, { password: `guess-${number}` });
  const told = named('warning').length;
  const name = JSON.stringify({ k: 'back', place: nameOfPlace(place) });
  // It makes the sender show a share for that place, and answers with what it has.
  const liar = guest(5, { place: 'cd'.repeat(16), says: name });
  assert.deepEqual([liar.met, liar.error?.reason], ['', 'CODE_WRONG']);
  assert.deepEqual(
    heard(5).map((body) => JSON.parse(body).k),
    ['refuse', 'share', 'refuse'],
  );
  assert.equal(named('warning').length, told);
  assert.equal(session(1).attended, false);
  assert.equal(guest(6, { place }).met, '1');
});

it('who has everything and comes once more takes nobody’s place, and is not waited for', async () => {
  const place = 'ab'.repeat(16);
  const { guest, clock, session, completes, named, transfer, made } = offer(2);
  guest(1, { place });
  await clock.pass(1);
  await completes(1);
  // Killed before it knew, and killed once more.
  made.moved = { bytes: 5, resumed: 5, seconds: 1 };
  const again = guest(2, { place, as: 12 });
  await clock.pass(1);
  assert.equal(again.met, '3');
  assert.equal(guest(3, { place, as: 13 }).error?.reason, 'OFFER_FULL', 'one at a time');
  session(3).dispatch('lane-up');
  session(3).heard({ seq: 1, state: 'failed', code: 'INTERRUPTED' });
  again.leave();
  await clock.pass(2_000);
  guest(4, { place, as: 14 });
  await clock.pass(1);
  await completes(4);
  guest(5);
  await clock.pass(1);
  made.moved = { bytes: 5, resumed: 0, seconds: 1 };
  await completes(2);
  const { receivers } = await transfer.done;
  assert.deepEqual(
    receivers?.map(({ peer }) => peer),
    [1, 2],
  );
  assert.deepEqual(
    named('ended').map(
      (event) => event.event === 'ended' && [event.peer, event.ok, event.again, event.reason],
    ),
    [
      [1, true, undefined, undefined],
      [3, false, true, 'HAD_IT_BEFORE'],
      [4, true, true, undefined],
      [2, true, undefined, undefined],
    ],
  );
  assert.deepEqual(
    named('peer').map((event) => event.event === 'peer' && [event.peer, event.again]),
    [
      [1, undefined],
      [3, true],
      [4, true],
      [2, undefined],
    ],
  );
  assert.equal(clock.waiting, 0);
});

it('who comes once more and is sent something counts as anybody else', async () => {
  const place = 'ab'.repeat(16);
  const { guest, clock, completes, transfer } = offer(2);
  guest(1, { place });
  await clock.pass(1);
  await completes(1);
  assert.equal(guest(2, { place, as: 12 }).met, '3');
  await clock.pass(1);
  await completes(3);
  assert.equal((await transfer.done).receivers?.length, 2);
});

it('who comes once more and is sent everything does not count in the place of one who is still under way', async () => {
  const [place, other] = ['ab'.repeat(16), 'cd'.repeat(16)];
  const { guest, clock, session, completes, transfer, named } = offer(2);
  guest(1, { place });
  guest(2, { place: other });
  await clock.pass(1);
  session(2).dispatch('lane-up');
  await completes(1);
  assert.equal(guest(3, { place, as: 13 }).met, '3');
  await clock.pass(1);
  await completes(3);
  session(2).fail(new BeelineError('NO_PATH', 'gone'));
  await clock.pass(2_000);
  assert.equal(guest(4, { place: other, as: 14 }).met, '4', 'it may come again');
  await clock.pass(1);
  await completes(4);
  assert.deepEqual(
    (await transfer.done).receivers?.map(({ peer, ok }) => [peer, ok]),
    [
      [1, true],
      [2, false],
      [4, true],
    ],
  );
  assert.deepEqual(
    named('ended').map((event) => event.event === 'ended' && event.again),
    [undefined, true, undefined, undefined],
  );
});

it('who fetches once more goes on after its lanes were lost, as anybody else', async () => {
  const place = 'ab'.repeat(16);
  const { guest, clock, session, completes, made } = offer(2);
  guest(1, { place });
  await clock.pass(1);
  await completes(1);
  const again = guest(3, { place, as: 13 });
  assert.equal(again.met, '3');
  await clock.pass(1);
  session(3).dispatch('lane-up');
  for (let bytes = 10; bytes <= 100; bytes += 10) {
    made.moved = { bytes, resumed: 0, seconds: 1 };
    session(3).dispatch('lanes-lost');
    await clock.pass(20_000);
    session(3).dispatch('lane-up');
    await clock.pass(20_000);
  }
  assert.equal(session(3).over, false);
  session(3).dispatch('lanes-lost');
  again.leave();
  const back = guest(4, { place, as: 14 });
  assert.equal(back.met, '3', 'nor does it get another session when it is started again');
  back.leave();
  await clock.pass(130_000);
  assert.equal(session(3).failure?.reason, 'HAD_IT_BEFORE', 'away for long it is not waited for');
});

for (const idle of [true, false])
  it(`one who came once more does not keep the whole open when all have it (${idle ? 'idle' : 'fetching'})`, async () => {
    const [place, other] = ['ab'.repeat(16), 'cd'.repeat(16)];
    const { guest, clock, session, completes, transfer, made } = offer(2);
    guest(1, { place });
    guest(2, { place: other });
    await clock.pass(1);
    await completes(1);
    guest(3, { place, as: 13 });
    await clock.pass(1);
    for (const id of [2, 3]) session(id).dispatch('lane-up');
    await clock.pass(600_000);
    assert.equal(session(3).over, false, 'while another is waited for it may take its time');
    await completes(2);
    assert.equal(guest(4, { place: other, as: 14 }).error?.reason, 'OFFER_CLOSED', 'nor do two in turn');
    for (let bytes = 10; !idle && bytes <= 100; bytes += 10) {
      made.moved = { bytes, resumed: 0, seconds: 1 };
      await clock.pass(50_000);
      assert.equal(session(3).over, false, 'what it fetches it gets');
    }
    // A process that begins anew is not something new that it gets.
    for (let bytes = 1; bytes <= 5; bytes++) {
      made.moved = { bytes, resumed: 0, seconds: 1 };
      await clock.pass(25_000);
    }
    assert.equal((await transfer.done).receivers?.length, 2);
    assert.equal(clock.waiting, 0);
  });

it('one place has one session: what a hello says of another place is not heard', async () => {
  const place = 'ab'.repeat(16);
  const { guest, clock, session, completes, opened } = offer(2);
  guest(1, { place });
  await clock.pass(1);
  await completes(1);
  for (let number = 10; number < 20; number++) {
    const { met } = guest(number, { place, as: number });
    await clock.pass(1);
    if (met === '') continue;
    const other = `${number}`.repeat(16);
    session(Number(met)).greeted(helloOf({ fingerprint: `${number}`.padStart(64, '0'), place: other }));
    assert.equal(session(Number(met)).place, place);
    session(Number(met)).dispatch('lane-up');
  }
  assert.deepEqual(
    opened.filter(({ over }) => !over).map(({ id }) => id),
    [2, 3],
  );
});

it('once nobody new is let in, no newcomer gets the session of one who is away', async () => {
  const place = 'ab'.repeat(16);
  const { guest, clock, session, receivers } = offer(2);
  const first = guest(1, { place });
  await clock.pass(1);
  session(1).dispatch('lane-up');
  receivers.admitNoMore();
  session(1).dispatch('lanes-lost');
  first.leave();
  assert.equal(guest(2, { place: 'cd'.repeat(16) }).error?.reason, 'OFFER_CLOSED');
  assert.equal(guest(3, { place, as: 13 }).met, '1');
});

for (const when of ['agreed', 'closing'])
  it(`a done receiver that is started again takes nobody’s place while its session is ${when}`, async () => {
    const place = 'ab'.repeat(16);
    const { guest, clock, session, completes, opened } = offer(2);
    const first = guest(1, { place });
    await clock.pass(1);
    let release = () => {};
    session(1).cleanup.push(
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
    );
    if (when === 'closing') await completes(1);
    else {
      session(1).dispatch('lane-up');
      session(1).agreed();
      session(1).dispatch('lanes-lost');
    }
    first.leave();
    // The process that has been told has nothing to compare. A new one has.
    if (when === 'agreed') {
      const same = guest(2, { place, as: 1 });
      assert.equal(same.met, '1');
      same.leave();
    }
    assert.equal(guest(3, { place, as: 13 }).met, '3');
    await clock.pass(1);
    release();
    assert.ok(opened.find(({ id }) => id === 3)?.again);
    assert.equal(guest(4, { place: 'cd'.repeat(16) }).met, '2');
  });

it('a receiver that is back before the server has noticed proves its place under a burnt code', async () => {
  const place = 'ab'.repeat(16);
  const { guest, clock, session } = offer(3);
  guest(1, { place });
  await clock.pass(1);
  session(1).dispatch('lane-up');
  for (const number of [2, 3, 4]) guest(number, { password: `guess-${number}` });
  session(1).dispatch('lanes-lost');
  assert.equal(session(1).attended, true);
  assert.equal(guest(5, { place, as: 15 }).met, '1');
});

it('a done receiver that was killed before it knew comes once more under a burnt code', async () => {
  const place = 'ab'.repeat(16);
  const { guest, clock, session, completes } = offer(3);
  guest(1, { place });
  guest(2);
  await clock.pass(1);
  await completes(1);
  session(2).dispatch('lane-up');
  for (const number of [3, 4, 5]) guest(number, { password: `guess-${number}` });
  const again = guest(6, { place, as: 16 });
  assert.equal(again.error, undefined);
  assert.equal(session(Number(again.met)).again, true);
});

it('those who are away hear that strangers have left, also after the code is burnt', async () => {
  const { guest, clock, session } = offer(3);
  const first = guest(1, { place: 'ab'.repeat(16) });
  await clock.pass(1);
  session(1).dispatch('lane-up');
  session(1).dispatch('lanes-lost');
  first.leave();
  const strangers = [2, 3, 4].map((number) => guest(number, { password: 'guess' }));
  assert.equal(session(1).state, 'authenticating');
  for (const stranger of strangers) stranger.leave();
  assert.equal(session(1).state, 'connecting');
});

it('nobody who has everything keeps the whole from its end by coming again and again', async () => {
  const place = 'ab'.repeat(16);
  const { guest, clock, receivers, completes, transfer } = offer(Number.POSITIVE_INFINITY);
  guest(1, { place });
  await clock.pass(1);
  await completes(1);
  receivers.admitNoMore();
  assert.equal(guest(2, { place, as: 12 }).error?.reason, 'OFFER_CLOSED');
  await clock.pass(2_000);
  await transfer.done;
});

it('a stranger who goes on after the code is burnt is put out, and the person hears no more of it', async () => {
  const { guest, clock, named, dropped } = offer(5);
  guest(1);
  await clock.pass(1);
  for (const number of [2, 3, 4]) guest(number, { password: 'guess' });
  const told = named('warning').length;
  const late = guest(9);
  for (let i = 0; i < 1000; i++) late.say('{');
  assert.equal(named('warning').length, told);
  assert.deepEqual(dropped.includes(9), true);
});

it('the mailbox has the place of one who is done', async () => {
  const { guest, clock, completes, dropped } = offer(3);
  guest(1);
  await clock.pass(1);
  await completes(1);
  assert.deepEqual(dropped, [1]);
});

it('one receiver in a time that is over: nobody came', async () => {
  const { clock, transfer, receivers } = offer(1);
  receivers.admitNoMore();
  await clock.pass(2_000);
  await assert.rejects(transfer.done, { code: 'NO_PEER', reason: 'NOBODY_CAME' });
});

it('each of several devices has one session: who comes anew has the same one, also while the server believes in the old', async () => {
  const { guest, clock, session, completes, opened, transfer, named } = offer(1, 2);
  const first = guest(1, { device: 1 });
  await clock.pass(1);
  session(2).dispatch('lane-up');
  assert.equal(first.met, '2');
  assert.equal(guest(2, { device: 1 }).met, '2', 'its process was killed, and nobody has noticed');
  assert.equal(session(2).peer.fingerprint, '2'.padStart(64, '0'));
  assert.equal(guest(3, { device: 0 }).met, '1');
  await completes(2);
  // One is done, and the other is still waited for.
  assert.equal(transfer.ends, false);
  assert.equal(guest(4, { device: 1 }).error?.reason, 'OFFER_CLOSED');
  await completes(1);
  assert.deepEqual(
    (await transfer.done).receivers?.map(({ peer }) => peer),
    [2, 1],
  );
  assert.deepEqual([opened.length, named('ended').length], [2, 2]);
});

it('what a device proves wrong burns nothing, and tells its person nothing', async () => {
  const { guest, clock, named, dropped, completes, transfer } = offer(1, 2);
  for (let number = 1; number <= 5; number++) guest(number, { device: 1, password: 'guess' });
  await clock.pass(1);
  assert.deepEqual([named('warning'), dropped], [[], [1, 2, 3, 4, 5]]);
  guest(6, { device: 1 });
  guest(7, { device: 0 });
  await clock.pass(1);
  await completes(1);
  await completes(2);
  assert.equal((await transfer.done).receivers?.length, 2);
});

it('one device that can no longer be met is told of, and the others have it all the same', async () => {
  const { guest, clock, groups, named, completes, transfer } = offer(1, 3);
  guest(1, { device: 0 });
  guest(2, { device: 2 });
  await clock.pass(1);
  const lost = new BeelineError('SERVER', 'The server has forgotten this meeting.');
  groups[1]!.lobby.events.onLost(lost);
  // That of one who is connected is not needed.
  groups[2]!.lobby.events.onLost(lost);
  assert.equal(transfer.ends, false);
  assert.deepEqual(
    named('warning').map((event) => event.event === 'warning' && [event.reason, event.values]),
    ['device 1', 'device 2'].map((device) => ['DEVICE_PLACE_LOST', { device, why: lost.message }]),
  );
  await completes(1);
  // Who has everything needs no place.
  groups[0]!.lobby.events.onLost(lost);
  assert.equal(named('warning').length, 2);
  assert.equal(transfer.ends, false);
  await completes(3);
  const error = await transfer.done.then(
    () => assert.fail('one never came'),
    (thrown) => thrown,
  );
  assert.deepEqual(
    [error.code, error.message],
    ['SERVER', '2 of 3 received it. The server has forgotten this meeting.'],
  );
  assert.deepEqual(
    error.receivers.map(({ ok }: { ok: boolean }) => ok),
    [true, true],
  );
  assert.equal(clock.waiting, 0);
});

it('with every device out of reach before any has come, it ends', async () => {
  const { clock, groups, transfer } = offer(1, 2);
  for (const { lobby } of groups) lobby.events.onLost(new BeelineError('SERVER', 'Gone.'));
  await clock.pass(2_000);
  await assert.rejects(transfer.done, { code: 'SERVER' });
});
