/** A data channel as a pipe, on channels in memory: what crosses, how much waits where, and what a peer may not do. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CREDIT_STEP, CREDIT_WINDOW } from '../../src/base/credit.ts';
import { LEAST_HELD, MOST_HELD } from '../../src/base/horizon.ts';
import { ChannelPipe, LEAST, MAX_MESSAGE } from '../../src/transports/webrtc/pipe.ts';
import { contract, Reading, write } from './pipe-contract.ts';
import { BOUNDS, channels, type FakeChannel } from './webrtc-fake.ts';

interface End {
  pipe: ChannelPipe;
  channel: FakeChannel;
  closed: number;
}

function end(channel: FakeChannel): End {
  const made: Partial<End> & { closed: number } = { channel, closed: 0 };
  made.pipe = new ChannelPipe(channel, () => {
    made.closed++;
    channel.close();
  });
  return made as End;
}

function ends(): [End, End] {
  const [a, b] = channels();
  return [end(a), end(b)];
}

/** One end, and a channel by which a peer of our own making speaks to it. */
function puppet(): { pipe: ChannelPipe; end: End; channel: FakeChannel; said: unknown[] } {
  const [ours, theirs] = channels();
  const said: unknown[] = [];
  theirs.addEventListener('message', ({ data }: { data: unknown }) => said.push(data));
  const made = end(ours);
  return { pipe: made.pipe, end: made, channel: theirs, said };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a data channel as a pipe', () => {
  contract(async () => ends().map(({ pipe }) => pipe) as [ChannelPipe, ChannelPipe], { runs: 60, ...BOUNDS });

  it('splits writes into messages that every implementation takes', async () => {
    const { pipe, said } = puppet();
    await write(pipe, new Uint8Array(3 * MAX_MESSAGE + 1));
    while (said.length < 4) await turn();
    assert.deepEqual(
      said.map((data) => (data as ArrayBuffer).byteLength),
      [MAX_MESSAGE, MAX_MESSAGE, MAX_MESSAGE, 1],
    );
    pipe.destroy();
  });

  it('gives a channel that is full no more, and goes on when it has emptied', async () => {
    const [source, target] = ends();
    source.channel.stuck = true;
    const reading = new Reading(target.pipe);
    let done = false;
    const total = MOST_HELD + 3 * MAX_MESSAGE;
    const all = write(source.pipe, new Uint8Array(total)).then(() => {
      done = true;
    });
    for (let i = 0; i < 10; i++) await turn();
    assert.equal(done, false);
    assert.equal(source.channel.bufferedAmount, LEAST_HELD);
    source.channel.stuck = false;
    source.channel.leave();
    await all;
    await reading.until(({ bytes }) => bytes === total);
    assert.ok(source.channel.peak < MOST_HELD + MAX_MESSAGE);
    source.pipe.destroy();
  });

  it('whose channel refuses what it is given ends with an error', async () => {
    const [source] = ends();
    const reading = new Reading(source.pipe);
    source.channel.send = () => {
      throw new Error('OperationError');
    };
    await assert.rejects(write(source.pipe, new Uint8Array(10)), { code: 'NO_PATH' });
    await reading.until(({ over }) => over);
    assert.match(String(reading.error), /OperationError/);
    assert.ok(source.closed > 0);
  });

  it('whose connection is lost ends with the reason, and a write under way with it', async () => {
    const [source, target] = ends();
    source.channel.stuck = true;
    const reading = new Reading(source.pipe);
    const writing = assert.rejects(write(source.pipe, new Uint8Array(2 * MOST_HELD)), { code: 'NO_PATH' });
    source.pipe.fail(new Error('lost'));
    await writing;
    await reading.until(({ over }) => over);
    assert.equal(reading.error?.message, 'lost');
    const other = new Reading(target.pipe);
    await other.until(({ over }) => over);
  });

  it('that is destroyed gives up after a second on a peer that hears nothing', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { pipe, end, channel } = puppet();
    end.channel.stuck = true;
    pipe.destroy();
    // However long a single look takes.
    for (const time of [250, 5_000, 250]) t.mock.timers.tick(time);
    assert.equal(end.closed, 0);
    t.mock.timers.tick(250);
    assert.equal(end.closed, 1);
    assert.equal(channel.readyState, 'closed');
  });

  it('that both sides destroy at once ends at once', async () => {
    const [a, b] = ends();
    const readings = [new Reading(a.pipe), new Reading(b.pipe)];
    a.pipe.destroy();
    b.pipe.destroy();
    for (const reading of readings) await reading.until(({ over }) => over);
    while (a.closed === 0 || b.closed === 0) await turn();
  });
});

describe('a peer on a data channel', () => {
  const ruined = async (say: (channel: FakeChannel) => void) => {
    const { pipe, end, channel } = puppet();
    const reading = new Reading(pipe);
    say(channel);
    await reading.until(({ over }) => over);
    assert.equal((reading.error as { code?: string } | undefined)?.code, 'PROTOCOL');
    assert.ok(end.closed > 0);
    return reading;
  };

  it('that sends more than it may to a paused reader is cut off', async () => {
    const { pipe, end, channel } = puppet();
    const reading = new Reading(pipe);
    pipe.pause();
    for (let sent = 0; sent < CREDIT_WINDOW; sent += MAX_MESSAGE) channel.send(new Uint8Array(MAX_MESSAGE));
    while (channel.bufferedAmount > 0) await turn();
    assert.equal(end.closed, 0);
    channel.send(new Uint8Array(1));
    await turn();
    await turn();
    assert.ok(end.closed > 0);
    await reading.until(({ over }) => over);
    assert.equal((reading.error as { code?: string } | undefined)?.code, 'PROTOCOL');
    // What waited is let go of.
    pipe.resume();
    await turn();
    assert.equal(reading.bytes, 0);
  });

  it('cannot make a paused reader keep many tiny messages either', async () => {
    const { pipe, end } = puppet();
    pipe.pause();
    const most = CREDIT_WINDOW / LEAST;
    let sent = 0;
    for (; end.closed === 0 && sent < 2 * most; sent++)
      end.channel.emit('message', { data: new ArrayBuffer(1) });
    assert.equal(sent, most + 1);
  });

  it('is told how much was taken, and not more often than needed', async () => {
    const { pipe, channel, said } = puppet();
    const reading = new Reading(pipe);
    const total = 4 * CREDIT_STEP;
    for (let sent = 0; sent < total; sent += MAX_MESSAGE) channel.send(new Uint8Array(MAX_MESSAGE));
    await reading.until(({ bytes }) => bytes === total);
    while (said.length < 4) await turn();
    assert.deepEqual(
      said,
      [1, 2, 3, 4].map((step) => String(step * CREDIT_STEP)),
    );
    pipe.destroy();
  });

  it('that grants what it was not sent, or says nonsense, is cut off', async () => {
    for (const text of [
      '8388608',
      '-1',
      '1e6',
      '0x10',
      '',
      ' ',
      'END',
      '99999999999999999',
      'x'.repeat(9999),
    ])
      await ruined((channel) => channel.send(text));
  });

  it('that sends empty, huge or strange messages is cut off', async () => {
    await ruined((channel) => channel.send(new Uint8Array(0)));
    await ruined((channel) => channel.send(new Uint8Array(MAX_MESSAGE + 1)));
    const { pipe, end } = puppet();
    const reading = new Reading(pipe);
    end.channel.emit('message', { data: { byteLength: 5 } });
    await reading.until(({ over }) => over);
    assert.ok(end.closed > 0);
  });

  it('that closes without a word ends the pipe', async () => {
    const { pipe, channel } = puppet();
    const reading = new Reading(pipe);
    channel.send(new Uint8Array(10));
    await reading.until(({ bytes }) => bytes === 10);
    channel.close();
    await reading.until(({ over }) => over);
    await assert.rejects(write(pipe, new Uint8Array(1)), { code: 'NO_PATH' });
  });
});
