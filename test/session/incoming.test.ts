import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LANE_OPEN_DEADLINE } from '../../src/base/limits.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { IncomingPipes } from '../../src/session/incoming.ts';
import { VirtualClock } from '../virtual-clock.ts';

function pipe() {
  const made = {
    closed: false,
    destroy() {
      made.closed = true;
    },
  };
  return made as typeof made & Pipe;
}

function taker(pin: string) {
  const got: Pipe[] = [];
  return { pin, got, offerPipe: (pipe: Pipe) => void got.push(pipe) };
}

describe('the pipes that come in at a port', () => {
  it('go each to whoever waits for the certificate that they proved', () => {
    const pipes = new IncomingPipes(new VirtualClock());
    const [one, other] = [taker('aa'), taker('bb')];
    pipes.add(one);
    pipes.add(other);
    const all = [pipe(), pipe(), pipe()] as const;
    pipes.offer(all[0], 'bb');
    pipes.offer(all[1], 'aa');
    pipes.offer(all[2], 'cc');
    assert.deepEqual([one.got, other.got], [[all[1]], [all[0]]]);
    assert.deepEqual(
      all.map(({ closed }) => closed),
      [false, false, true],
    );
  });

  it('wait while somebody is awaited who is not known yet: a bounded number, of each certificate too', async () => {
    const clock = new VirtualClock();
    const pipes = new IncomingPipes(clock);
    const somebody = taker('');
    pipes.add(somebody);
    const own = Array.from({ length: 10 }, pipe);
    for (const each of own) pipes.offer(each, 'aa');
    assert.equal(own.filter(({ closed }) => closed).length, 2);
    const strange = Array.from({ length: 40 }, pipe);
    for (const [at, each] of strange.entries()) pipes.offer(each, `c${at}`);
    assert.equal(strange.filter(({ closed }) => closed).length, 40 - 24);
    somebody.pin = 'aa';
    pipes.claim(somebody);
    assert.deepEqual(somebody.got, own.slice(0, 8));
    // Nobody else is awaited.
    assert.ok(strange.every(({ closed }) => closed));
    assert.equal(clock.waiting, 0);
  });

  it('that nobody claims are closed in time, and when nobody is awaited any more', async () => {
    const clock = new VirtualClock();
    const pipes = new IncomingPipes(clock);
    const somebody = taker('');
    pipes.add(somebody);
    const [late, left] = [pipe(), pipe()];
    pipes.offer(late, 'aa');
    await clock.pass(LANE_OPEN_DEADLINE - 1);
    pipes.offer(left, 'aa');
    assert.equal(late.closed, false);
    await clock.pass(2);
    assert.deepEqual([late.closed, left.closed], [true, false]);
    pipes.leave(somebody);
    assert.equal(left.closed, true);
    assert.equal(clock.waiting, 0);
  });
});
