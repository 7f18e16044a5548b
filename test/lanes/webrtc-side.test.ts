/** Offers and answers: which connections are made of what the two sides say, and which are not. In memory. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, describe, it, mock } from 'node:test';
import type { Pipe } from '../../src/lanes/pipe.ts';
import type { IceServer } from '../../src/lanes/webrtc/servers.ts';
import { WebRtcSide } from '../../src/lanes/webrtc/side.ts';
import {
  LANE_OPEN_DEADLINE,
  MAX_RTC,
  MAX_RTC_CANDIDATES,
  MAX_WEBRTC_LANES,
} from '../../src/protocol/limits.ts';
import type { RtcDescription } from '../../src/protocol/rtc.ts';
import { Reading, write } from './webrtc-contract.ts';
import { FakeChannel, FakeNetwork, type FakePeerConnection } from './webrtc-fake.ts';

const never = new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; !holds(); i++) {
    if (i > 20_000) throw new Error(`never: ${what}`);
    await turn();
  }
}

interface Options {
  relayOnly?: boolean;
  servers?: IceServer[];
  missing?: boolean;
}

class Party {
  readonly side: WebRtcSide;
  readonly pipes: Pipe[] = [];
  /** Hellos, oldest first, as they cross. */
  readonly said: RtcDescription[][] = [];
  other: Party | undefined;

  constructor(role: 'sender' | 'receiver', network: FakeNetwork, options: Options = {}) {
    this.side = new WebRtcSide({
      role,
      connect: async () => (options.missing ? undefined : network.connect),
      iceServers: () => options.servers ?? [],
      relayOnly: options.relayOnly ?? false,
      onPipe: (pipe) => this.pipes.push(pipe),
      onChange: () => this.say(),
    });
  }

  say(): void {
    const rtc = JSON.parse(JSON.stringify(this.side.descriptions)) as RtcDescription[];
    this.said.push(rtc);
    setImmediate(() => this.other?.side.peer(rtc));
  }

  async open(signal = never): Promise<Pipe> {
    return this.side.path!.open(signal);
  }
}

function parties(): { network: FakeNetwork; sender: Party; receiver: Party } {
  const network = new FakeNetwork();
  const [sender, receiver] = [new Party('sender', network), new Party('receiver', network)];
  sender.other = receiver;
  receiver.other = sender;
  return { network, sender, receiver };
}

function offer(fields: Partial<RtcDescription> = {}): RtcDescription {
  return {
    id: randomBytes(8).toString('hex'),
    kind: 'offer',
    ufrag: randomBytes(4).toString('hex'),
    password: randomBytes(12).toString('hex'),
    fingerprint: randomBytes(32).toString('hex'),
    candidates: ['candidate:1 1 udp 1 192.0.2.9 9999 typ host'],
    ...fields,
  };
}

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
