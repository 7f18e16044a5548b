/** Session logic by itself, on a virtual clock: the wait for a confirmation, a disk that stalls, whose pipes come in, and what words mean. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { CONFIRM_DEADLINE, STALL_DEADLINE, STALL_LOOK } from '../../src/base/limits.ts';
import { Confirmation } from '../../src/session/deadlines.ts';
import { PinnedProcess } from '../../src/session/pinned.ts';
import { Stall } from '../../src/session/stall.ts';
import { causeToWait, verdict } from '../../src/session/verdict.ts';
import type { State } from '../../src/sync/machine.ts';
import { VirtualClock } from '../virtual-clock.ts';

describe("a sender's wait for its receiver's confirmation", () => {
  const waiting = () => {
    const clock = new VirtualClock();
    const confirmation = new Confirmation(clock);
    const seen = { ends: 0 };
    confirmation.wait(() => seen.ends++);
    return { clock, confirmation, seen };
  };

  it('ends once its receiver has heard, and once only', async () => {
    const { clock, confirmation, seen } = waiting();
    confirmation.heard();
    confirmation.heard();
    await clock.pass(2 * CONFIRM_DEADLINE);
    assert.equal(seen.ends, 1);
  });

  it('ends by itself after its deadline', async () => {
    const { clock, seen } = waiting();
    await clock.pass(CONFIRM_DEADLINE - 1);
    assert.equal(seen.ends, 0);
    await clock.pass(1);
    assert.equal(seen.ends, 1);
  });

  it('is called off for a receiver that is a new process', async () => {
    const { clock, confirmation, seen } = waiting();
    confirmation.end();
    confirmation.heard();
    await clock.pass(2 * CONFIRM_DEADLINE);
    assert.equal(seen.ends, 0);
    assert.equal(clock.waiting, 0);
  });
});

describe('a disk that takes no more', () => {
  const full = new BeelineError('DISK_FULL', 'full');

  function stalled() {
    const clock = new VirtualClock();
    const watchers: ((from: State, to: State) => void)[] = [];
    const seen = { resumed: 0, failed: [] as string[] };
    const session = {
      clock,
      state: 'transferring',
      over: false,
      cleanup: { push: () => {} },
      watch: (watcher: (from: State, to: State) => void) => watchers.push(watcher),
      becomes(to: 'transferring' | 'paused') {
        const from = session.state as State;
        session.state = to;
        for (const watcher of watchers) watcher(from, to);
      },
      pause: () => session.becomes('paused'),
      resume() {
        seen.resumed++;
        session.becomes('transferring');
      },
      fail: ({ code }: BeelineError) => seen.failed.push(code),
    };
    const sink = { room: false, ready: async () => sink.room };
    return { clock, seen, session, sink, stall: new Stall(session as never) };
  }

  it('pauses the session, which goes on at the first look that finds room', async () => {
    const { clock, seen, session, sink, stall } = stalled();
    assert.equal(stall.begin(full, sink as never), true);
    assert.equal(session.state, 'paused');
    await clock.pass(3 * STALL_LOOK);
    assert.equal(seen.resumed, 0);
    sink.room = true;
    await clock.pass(STALL_LOOK);
    assert.deepEqual([seen.resumed, session.state], [1, 'transferring']);
    await clock.pass(10 * STALL_LOOK);
    assert.deepEqual([seen.resumed, clock.waiting], [1, 0]);
  });

  it('ends it after a day', async () => {
    const { clock, seen, sink, stall } = stalled();
    stall.begin(full, sink as never);
    await clock.pass(STALL_DEADLINE);
    assert.deepEqual(seen.failed, []);
    await clock.pass(2 * STALL_LOOK);
    assert.deepEqual(seen.failed, ['DISK_FULL']);
  });

  it('is not looked at once somebody else has gone on', async () => {
    const { clock, seen, session, sink, stall } = stalled();
    stall.begin(full, sink as never);
    session.becomes('transferring');
    sink.room = true;
    await clock.pass(10 * STALL_LOOK);
    assert.deepEqual([seen.resumed, clock.waiting], [0, 0]);
  });

  it('does not pause for what will not pass, nor where the sink cannot go on', () => {
    const { session, sink, stall } = stalled();
    assert.equal(stall.begin(new BeelineError('WRITE_FAILED', 'broken'), sink as never), false);
    assert.equal(stall.begin(full, {} as never), false);
    assert.equal(session.state, 'transferring');
  });
});

describe('the pinned process', () => {
  it("lets in the proven peer's pipes alone, until its process says that it ends", () => {
    const process = new PinnedProcess();
    assert.equal(process.admits('aa'), false);
    assert.equal(process.prove('aa'), 'first');
    assert.equal(process.prove('aa'), 'same');
    assert.equal(process.admits('aa'), true);
    assert.equal(process.admits('bb'), false);
    process.end();
    assert.equal(process.admits('aa'), false);
    assert.equal(process.prove('aa'), 'ended');
    assert.equal(process.prove('bb'), 'new');
    assert.equal(process.admits('bb'), true);
  });
});

describe("the other side's word", () => {
  const word = (state: 'paused' | 'running' | 'cancelled' | 'failed', code = '') =>
    verdict({ seq: 1, state, code, text: '' }, 'receiver');

  it('is an event of the table, by the peer', () => {
    assert.equal(word('paused')[0], 'pause');
    assert.equal(word('running')[0], 'resume');
    assert.deepEqual([word('cancelled')[0], word('cancelled')[1].error?.code], ['cancel', 'CANCELLED']);
    for (const state of ['paused', 'running', 'cancelled', 'failed'] as const)
      assert.equal(word(state)[1].by, 'peer');
  });

  it('means the same on both sides where it can, and nothing of it is shown that is not a code', () => {
    assert.equal(word('failed', 'REFUSED')[1].error?.code, 'REFUSED');
    const strange = word('failed', '\u001b[31m evil')[1].error!;
    assert.deepEqual([strange.code, strange.message], ['PEER_FAILED', 'The other side failed.']);
    const interrupted = verdict({ seq: 1, state: 'failed', code: 'INTERRUPTED', text: '' }, 'sender');
    assert.equal(interrupted[1].error?.code, 'PEER_FAILED');
  });

  it("of why it paused is heard only for a receiver's disk, so that a peer chooses no words of this side", () => {
    for (const code of ['DISK_FULL', 'WRITE_FAILED']) {
      assert.equal(word('paused', code)[1].code, code);
      assert.match(word('paused', code)[1].reason ?? '', /^The other side (has no room|cannot write)/);
      assert.deepEqual(verdict({ seq: 1, state: 'paused', code, text: '' }, 'sender')[1], { by: 'peer' });
    }
    for (const code of ['EXISTS', 'UNREADABLE', 'BAD_MANIFEST', 'LOCKED', 'INTERRUPTED', 'toString', ''])
      assert.deepEqual(word('paused', code)[1], { by: 'peer' }, code);
  });

  it('is waited on only where a person cures the cause', () => {
    assert.match(causeToWait('DISK_FULL')?.reason ?? '', /no room.*Waiting/);
    for (const code of ['REFUSED', 'CANCELLED', 'VERIFICATION', 'toString', ''])
      assert.equal(causeToWait(code), undefined);
  });
});
