/** Offers and answers: which connections are made of what the two sides say. In memory. */
import assert from 'node:assert/strict';
import { afterEach, describe, it, mock } from 'node:test';
import { LANE_OPEN_DEADLINE, MAX_RTC, MAX_WEBRTC_LANES } from '../../src/base/limits.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { Pacing } from '../../src/transports/webrtc/offers.ts';
import { Reading, write } from './pipe-contract.ts';
import { FakeNetwork, type FakePeerConnection } from './webrtc-fake.ts';
import { Party, parties, turn, until } from './webrtc-parties.ts';

afterEach(() => mock.timers.reset());

describe('WebRTC lanes', () => {
  it('are opened by the receiver, each on a connection of its own', async () => {
    const { network, sender, receiver } = parties();
    const pipes = await Promise.all(Array.from({ length: MAX_WEBRTC_LANES }, () => receiver.open()));
    await until('the other ends', () => sender.pipes.length === MAX_WEBRTC_LANES);
    assert.equal(network.all.length, 2 * MAX_WEBRTC_LANES);
    const [pipe] = pipes as [Pipe];
    assert.deepEqual(
      [pipe.kind, pipe.local, pipe.remote],
      ['webrtc', '192.0.2.7:40000', '[2001:db8::1]:40001'],
    );
    const readings = sender.pipes.map((each) => new Reading(each));
    await Promise.all(pipes.map((each, i) => write(each, new Uint8Array(i + 1))));
    await until('the bytes', () => readings.reduce((sum, { bytes }) => sum + bytes, 0) === 10);
    assert.deepEqual(
      [sender, receiver].map(({ side }) => side.descriptions),
      [[], []],
    );
    for (const each of pipes) each.destroy();
    await until('the ends', () => network.open.length === 0);
  });

  it('take the offer made ahead, which the first hello has', async () => {
    const { network, sender, receiver } = parties();
    await receiver.side.prepare();
    await receiver.side.prepare();
    assert.equal(network.all.length, 1);
    const [description] = receiver.side.descriptions;
    assert.equal(description?.kind, 'offer');
    assert.equal(description?.candidates.length, 1);
    receiver.say();
    await until('an answer', () => sender.side.descriptions.length === 1);
    await receiver.open();
    await until('the other end', () => sender.pipes.length === 1);
    assert.equal(network.all.length, 2);
    assert.equal(sender.side.path, undefined);
  });

  it('come up by candidates that are found later', async () => {
    const { network, sender, receiver } = parties();
    network.dead = true;
    const opening = receiver.open();
    opening.catch(() => {});
    await until('an answer', () => receiver.said.length > 0 && sender.said.length > 0);
    const [ours, theirs] = network.all as [FakePeerConnection, FakePeerConnection];
    const before = theirs.tried.length;
    ours.found('candidate:2 1 udp 99 203.0.113.5 40000 typ srflx raddr 192.0.2.7 rport 40000');
    await until('it is told', () => theirs.tried.length > before);
    assert.equal(
      theirs.tried.at(-1),
      'candidate:2 1 udp 99 203.0.113.5 40000 typ srflx raddr 0.0.0.0 rport 0',
    );
    receiver.side.close();
    sender.side.close();
    await assert.rejects(opening, { code: 'NO_PATH' });
  });

  it('that nobody answers end in time, and leave nothing open', async () => {
    const { network, sender, receiver } = parties();
    receiver.other = undefined;
    mock.timers.enable({ apis: ['setTimeout'] });
    const opening = assert.rejects(receiver.open(), { code: 'TIMEOUT' });
    await until('an offer', () => receiver.said.length > 0);
    mock.timers.tick(LANE_OPEN_DEADLINE);
    await opening;
    assert.deepEqual([network.open.length, receiver.side.descriptions.length], [0, 0]);
    // Not at once again: every try costs messages.
    await assert.rejects(receiver.open(), { code: 'NO_PATH' });
    assert.equal(network.all.length, 1);
    receiver.side.again();
    receiver.other = sender;
    await receiver.open();
  });

  it('that are not wanted any more are closed, and are no failure', async () => {
    const { network, sender, receiver } = parties();
    network.dead = true;
    const control = new AbortController();
    const opening = assert.rejects(receiver.open(control.signal), { code: 'NO_PATH' });
    await until('an offer', () => receiver.said.length > 0);
    control.abort();
    await opening;
    assert.equal(network.open.filter(({ channel }) => channel).length, 0);
    await assert.rejects(receiver.open(AbortSignal.abort()), { code: 'NO_PATH' });
    network.dead = false;
    await receiver.open();
    sender.side.close();
  });

  it('are not opened without end at once', async () => {
    const { network, receiver } = parties();
    network.dead = true;
    const openings = Array.from({ length: MAX_RTC + 1 }, () => receiver.open());
    for (const each of openings) each.catch(() => {});
    await assert.rejects(openings.at(-1)!, { code: 'NO_PATH' });
    receiver.side.close();
    await Promise.allSettled(openings);
  });

  it('are none where there is no WebRTC, and through relays none without a TURN server', async () => {
    const network = new FakeNetwork();
    const missing = new Party('receiver', network, { missing: true });
    await assert.rejects(missing.open(), { code: 'NO_PATH' });
    assert.equal(missing.side.path, undefined);
    await missing.side.prepare();
    assert.deepEqual(missing.side.descriptions, []);
    const stun = [{ urls: ['stun:192.0.2.1:3478'] }];
    const direct = new Party('receiver', network, { relayOnly: true, servers: stun });
    assert.equal(direct.side.path, undefined);
    const turn = [{ urls: ['turn:192.0.2.1:3478'], username: 'u', credential: 'c' }];
    const relayed = new Party('receiver', network, { relayOnly: true, servers: turn });
    await relayed.side.prepare();
    assert.deepEqual(network.all.at(-1)?.configuration, { iceServers: turn, iceTransportPolicy: 'relay' });
    relayed.side.close();
    assert.equal(network.open.length, 0);
  });

  it('made ahead and answered, but opened by nobody, do not stay', async () => {
    const { network, sender, receiver } = parties();
    mock.timers.enable({ apis: ['setTimeout'] });
    await receiver.side.prepare();
    receiver.say();
    await until('a lane', () => sender.pipes.length === 1);
    for (let i = 0; i < 5; i++) await turn();
    mock.timers.tick(LANE_OPEN_DEADLINE);
    await until('its end', () => network.open.length === 0);
  });

  it('whose connection fails once it is open end with a reason', async () => {
    const { network, sender, receiver } = parties();
    const pipe = await receiver.open();
    const reading = new Reading(pipe);
    network.all[0]!.fail();
    await reading.until(({ over }) => over);
    assert.equal((reading.error as { code?: string }).code, 'NO_PATH');
    await until('both ends', () => network.open.length === 0 && sender.pipes.length === 1);
  });
});

describe('a way that does not work', () => {
  it('is tried less and less often, down to once an hour', (t) => {
    let now = 1000;
    t.mock.method(performance, 'now', () => now);
    const pacing = new Pacing();
    const waits: number[] = [];
    for (let i = 0; i < 14; i++) {
      assert.ok(pacing.ready);
      const began = now++;
      pacing.failed(began);
      // Another that was under way at the same time is no second failure.
      pacing.failed(began);
      const failed = now;
      while (!pacing.ready) now += 500;
      waits.push((now - failed) / 1000);
    }
    assert.deepEqual(waits.slice(0, 5), [0.5, 1, 2, 4, 8]);
    assert.equal(waits.at(-1), 3600);
    pacing.failed(now);
    pacing.reset();
    assert.ok(pacing.ready);
  });
});
