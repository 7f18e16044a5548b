/** What a peer may not do with offers and answers. In memory. */
import assert from 'node:assert/strict';
import { afterEach, describe, it, mock } from 'node:test';
import { LANE_OPEN_DEADLINE, MAX_RTC, MAX_RTC_CANDIDATES, MAX_WEBRTC_LANES } from '../../src/base/limits.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import type { RtcDescription } from '../../src/wire/rtc.ts';
import { Reading } from './pipe-contract.ts';
import { FakeChannel, FakeNetwork, type FakePeerConnection } from './webrtc-fake.ts';
import { offer, Party, parties, turn, until } from './webrtc-parties.ts';

afterEach(() => mock.timers.reset());

describe('a hostile peer', () => {
  it('with another fingerprint than it has connects to nobody', async () => {
    const { network, sender, receiver } = parties();
    receiver.other = undefined;
    mock.timers.enable({ apis: ['setTimeout'] });
    const opening = assert.rejects(receiver.open(), { code: 'TIMEOUT' });
    await until('an offer', () => receiver.said.length > 0);
    const [said] = receiver.side.descriptions as [RtcDescription];
    sender.side.peer([{ ...said, fingerprint: '0'.repeat(64) }]);
    await until('an answer', () => sender.said.length > 0);
    for (let i = 0; i < 20; i++) await turn();
    mock.timers.tick(LANE_OPEN_DEADLINE);
    await opening;
    await until('nothing is left', () => network.open.length === 0);
    assert.equal(sender.pipes.length, 0);
  });

  it('cannot change what it said of a connection, but for more candidates', async () => {
    const network = new FakeNetwork();
    const sender = new Party('sender', network);
    const first = offer();
    sender.side.peer([first]);
    await until('an answer', () => sender.said.length > 0);
    const [pc] = network.all as [FakePeerConnection];
    const more = 'candidate:2 1 udp 1 192.0.2.10 9 typ host';
    for (const changed of [{ ufrag: 'other' }, { password: 'x'.repeat(22) }, { fingerprint: 'f'.repeat(64) }])
      sender.side.peer([{ ...first, ...changed, candidates: [more] }]);
    assert.deepEqual(pc.tried, first.candidates);
    assert.equal(pc.remote?.ufrag, first.ufrag);
    sender.side.peer([{ ...first, candidates: [more] }]);
    assert.deepEqual(pc.tried, [...first.candidates, more]);
    assert.equal(network.all.length, 1);
    sender.side.close();
  });

  it('cannot have candidates tried without end', async () => {
    const network = new FakeNetwork();
    const sender = new Party('sender', network);
    const first = offer();
    for (let port = 1; port < 200; port++) {
      const candidates = [`candidate:1 1 udp 1 192.0.2.9 ${port} typ host`];
      sender.side.peer([{ ...first, candidates }]);
      await turn();
    }
    const [pc] = network.all as [FakePeerConnection];
    assert.equal(pc.tried.length, 3 * MAX_RTC_CANDIDATES);
    sender.side.close();
  });

  it('has as many offers answered as are negotiated at once, and new ones for old', async () => {
    const network = new FakeNetwork();
    const sender = new Party('sender', network);
    const offers = Array.from({ length: MAX_RTC }, () => offer());
    sender.side.peer(offers);
    await until('answers', () => sender.side.descriptions.length === MAX_RTC);
    const more = offer();
    sender.side.peer([...offers, more]);
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(network.all.length, MAX_RTC);
    // The first is not spoken of any more.
    sender.side.peer([...offers.slice(1), more]);
    await until('one for another', () => sender.side.descriptions.some(({ id }) => id === more.id));
    assert.equal(network.open.length, MAX_RTC);
    assert.ok(!sender.side.descriptions.some(({ id }) => id === offers[0]!.id));
    // Nor is it answered a second time.
    sender.side.peer(offers);
    assert.equal(network.all.length, MAX_RTC + 1);
    sender.side.close();
    assert.equal(network.open.length, 0);
  });

  it('cannot make it connect for ever', async () => {
    const network = new FakeNetwork();
    const sender = new Party('sender', network);
    for (let i = 0; i < 500; i++) {
      sender.side.peer([offer(), offer()]);
      await turn();
    }
    assert.ok(network.all.length < 20, `${network.all.length} connections`);
    assert.ok(network.open.length <= MAX_RTC);
    sender.side.close();
  });

  it('has no more connections than there are lanes for, with some to spare', async () => {
    const { network, sender, receiver } = parties();
    const others = [receiver, new Party('receiver', network), new Party('receiver', network)];
    const opened: Pipe[] = [];
    for (const party of others) {
      party.other = sender;
      sender.other = party;
      for (let i = 0; i < MAX_WEBRTC_LANES; i++)
        party.open().then(
          (pipe) => opened.push(pipe),
          () => {},
        );
      for (let i = 0; i < 50; i++) await turn();
    }
    assert.equal(sender.pipes.length, 2 * MAX_WEBRTC_LANES);
    for (const party of others) party.side.close();
    sender.side.close();
    for (const pipe of [...opened, ...sender.pipes]) pipe.destroy();
    await until('the end', () => network.open.length === 0);
  });

  it('that opens another channel, or a second one, is cut off', async () => {
    const strange = [
      new FakeChannel('other'),
      new FakeChannel('beeline', { protocol: 'x' } as Partial<FakeChannel>),
      new FakeChannel('beeline', { ordered: false } as Partial<FakeChannel>),
      new FakeChannel('beeline', { maxRetransmits: 0 } as unknown as Partial<FakeChannel>),
    ];
    for (const channel of strange) {
      const network = new FakeNetwork();
      const sender = new Party('sender', network);
      sender.side.peer([offer()]);
      await until('an answer', () => sender.said.length > 0);
      network.all[0]!.emit('datachannel', { channel });
      assert.equal(channel.readyState, 'closed');
      assert.equal(network.open.length, 0);
      assert.equal(sender.pipes.length, 0);
    }
    const { network, sender, receiver } = parties();
    const pipe = await receiver.open();
    await until('the other end', () => sender.pipes.length === 1);
    const reading = new Reading(sender.pipes[0]!);
    network.all[1]!.emit('datachannel', { channel: new FakeChannel('beeline') });
    await reading.until(({ over }) => over);
    assert.equal((reading.error as { code?: string }).code, 'PROTOCOL');
    pipe.destroy();
  });

  it('of the same role is not listened to, nor one that answers what was not offered', async () => {
    const { network, receiver } = parties();
    receiver.side.peer([offer(), offer({ kind: 'answer' })]);
    const sender = new Party('sender', network);
    sender.side.peer([offer({ kind: 'answer' })]);
    for (let i = 0; i < 5; i++) await turn();
    assert.equal(network.all.length, 0);
  });
});
