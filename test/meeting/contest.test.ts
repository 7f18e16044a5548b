/** Several who say that they are the host, against a scripted crowd: what a receiver does when anybody may announce its nameplate. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BeelineError, fault } from '../../src/base/errors.ts';
import { type Claimant, type ContestOptions, openContest } from '../../src/meeting/contest.ts';
import type { MailboxOptions, WireEvents } from '../../src/meeting/ports.ts';
import { encodeRendezvous, NO_SERVICES } from '../../src/wire/rendezvous.ts';

const token = 'f'.repeat(32);
const WRONG = fault('CODE_WRONG', { next: '' });

/** What one of the crowd does when somebody dials it. */
type Conduct = 'speaks' | 'silent' | 'deaf' | 'gone' | 'garbage';

class Crowd {
  readonly open = new Set<string>();
  readonly dialled = new Map<string, number>();
  most = 0;

  claimant(id: string, conduct: Conduct): Claimant {
    return {
      id,
      dial: async (events: WireEvents) => {
        this.dialled.set(id, (this.dialled.get(id) ?? 0) + 1);
        if (conduct === 'gone') throw fault('MEETING_STREAM_LOST', { why: 'it does not answer' });
        this.open.add(id);
        this.most = Math.max(this.most, this.open.size);
        const say = (message: Parameters<typeof encodeRendezvous>[0]) =>
          queueMicrotask(() => events.text(encodeRendezvous(message)));
        return {
          send(text) {
            if (!text.includes('"join"') || conduct === 'deaf') return;
            if (conduct === 'garbage') return queueMicrotask(() => events.text('{"t":"joined"'));
            say({ t: 'joined', v: 2, token, services: NO_SERVICES });
            say({ t: 'peer', present: true });
            if (conduct === 'speaks') say({ t: 'message', body: id });
          },
          close: () => void this.open.delete(id),
        };
      },
    };
  }
}

interface Heard {
  body: string;
  host: number;
}

function options(
  claimants: readonly Claimant[],
  more: Partial<ContestOptions> = {},
): ContestOptions & { heard: Heard[]; lost: BeelineError[] } {
  const heard: Heard[] = [];
  const lost: BeelineError[] = [];
  return {
    ...{ role: 'guest', nameplate: '1234567', deadline: 20_000, heard, lost },
    look: async (found) => {
      for (const claimant of claimants) found(claimant);
    },
    nobody: () => fault('NOBODY_ANYWHERE'),
    onMessage: (body, host) => heard.push({ body, host }),
    onPeer() {},
    onLost: (error) => lost.push(error),
    ...more,
  };
}

async function until(fact: () => boolean): Promise<void> {
  for (const end = Date.now() + 15_000; !fact(); await sleep(5))
    assert.ok(Date.now() < end, 'it did not come to pass');
}

test('all are heard side by side, and the one that proves itself is kept', async () => {
  const crowd = new Crowd();
  const names = ['a', 'b', 'c'];
  const on = options(names.map((name) => crowd.claimant(name, 'speaks')));
  const contest = await openContest(on);
  await until(() => on.heard.length === 3);
  const { host } = on.heard.find(({ body }) => body === 'b')!;
  contest.keep(host);
  assert.deepEqual([...crowd.open], ['b']);
  contest.close();
  assert.deepEqual([...crowd.open], []);
});

test('one that is not the host is left, and the others go on', async () => {
  const crowd = new Crowd();
  const on = options([crowd.claimant('wrong', 'speaks'), crowd.claimant('right', 'speaks')]);
  const contest = await openContest(on);
  await until(() => on.heard.length === 2);
  const { host } = on.heard.find(({ body }) => body === 'wrong')!;
  assert.equal(contest.wrong!(host, WRONG), true);
  assert.deepEqual([...crowd.open], ['right']);
  assert.equal(on.lost.length, 0);
  contest.close();
});

test('none is the host: the first error is told once', async () => {
  const crowd = new Crowd();
  const on = options([crowd.claimant('a', 'speaks')]);
  const contest = await openContest(on);
  await until(() => on.heard.length === 1);
  contest.wrong!(on.heard[0]!.host, WRONG);
  await until(() => on.lost.length === 1);
  assert.equal(on.lost[0], WRONG);
  await sleep(700);
  assert.equal(on.lost.length, 1);
  // It is not asked a second time: that would be a second guess.
  assert.equal(crowd.dialled.get('a'), 1);
  contest.close();
});

test('hundreds who do not answer: few at a time, and the true one is found behind them', async () => {
  const crowd = new Crowd();
  const false_ = Array.from({ length: 100 }, (_, i) =>
    crowd.claimant(`f${i}`, i % 3 === 0 ? 'gone' : 'garbage'),
  );
  const on = options([...false_, crowd.claimant('true', 'speaks')]);
  const contest = await openContest(on);
  await until(() => on.heard.length === 1);
  assert.equal(on.heard[0]!.body, 'true');
  assert.ok(crowd.most <= 8, `${crowd.most} at a time`);
  for (const [id, times] of crowd.dialled) assert.ok(times <= 3, `${id} was dialled ${times} times`);
  contest.close();
});

test('thousands who announce are not remembered, and each guess is counted', async () => {
  const crowd = new Crowd();
  const all = Array.from({ length: 3000 }, (_, i) => crowd.claimant(`f${i}`, 'speaks'));
  const on = options(all, {
    onMessage: (body, host) => {
      on.heard.push({ body, host });
      queueMicrotask(() => contest.wrong!(host, WRONG));
    },
  });
  const contest = await openContest(on);
  await until(() => on.lost.length === 1);
  assert.equal(on.heard.length, 16);
  assert.ok(crowd.dialled.size <= 128);
  contest.close();
});

test('the first way ends it when what it says is final, and not when nobody is there', async () => {
  const crowd = new Crowd();
  const several = fault('SEVERAL_SENDERS', { count: 2, nameplate: '1234567' });
  await assert.rejects(
    openContest(options([], { first: async () => Promise.reject(several) })),
    (error) => error === several,
  );
  const on = options([crowd.claimant('a', 'speaks')], {
    first: async () => Promise.reject(fault('NOBODY_ON_LAN', { alone: '' })),
  });
  const contest = await openContest(on);
  await until(() => on.heard.length === 1);
  contest.close();
});

test('without the DHT the first way alone decides', async () => {
  let toTell: MailboxOptions | undefined;
  const silent = fault('DHT_SILENT');
  const look = async () => Promise.reject(silent);
  await assert.rejects(openContest(options([], { look })), (error) => error === silent);
  const nobody = fault('NOBODY_ON_LAN', { alone: '' });
  await assert.rejects(
    openContest(
      options([], {
        look,
        first: async (options) => {
          toTell = options;
          await sleep(20);
          throw nobody;
        },
      }),
    ),
    (error) => error === nobody,
  );
  assert.equal(toTell?.role, 'guest');
});

test('nobody at all: the deadline, with its own word', async () => {
  await assert.rejects(
    openContest(options([], { deadline: 50 })),
    (error) => error instanceof BeelineError && error.reason === 'NOBODY_ANYWHERE',
  );
});

test('who says nothing makes way in time', async () => {
  const crowd = new Crowd();
  const on = options(
    [
      ...Array.from({ length: 8 }, (_, i) => crowd.claimant(`s${i}`, i % 2 ? 'silent' : 'deaf')),
      crowd.claimant('true', 'speaks'),
    ],
    { deadline: 60_000 },
  );
  const contest = await openContest(on);
  for (const end = Date.now() + 40_000; on.heard.length === 0; await sleep(50)) assert.ok(Date.now() < end);
  assert.equal(on.heard[0]!.body, 'true');
  contest.close();
});
