/** A rendezvous that does with messages as it likes: two sides get the right key, or fail clearly. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { HANDSHAKE_DEADLINE } from '../../src/base/limits.ts';
import type { Transfer } from '../../src/node/api.ts';
import { receive } from '../../src/node/receive.ts';
import { send } from '../../src/node/send.ts';
import { SharedMailbox, type Sitter } from '../../src/server/mailbox.ts';
import type { Side } from '../../src/server/meeting-store.ts';
import { randomFrom, seed } from '../seed.ts';
import { type Party, party, server } from './meetings.ts';
import { each, ending, LIMIT, shorten, tree, until, world } from './world.ts';

test('protects from: a rendezvous that drops, reorders, repeats, alters and splices messages', LIMIT, () => {
  const random = randomFrom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const rounds = Math.min(2000, Number(process.env.RUNS ?? 60));
  let [proven, failed] = [0, 0];
  for (let round = 0; round < rounds; round++) {
    // Two sessions under one nameplate, now and then with one code.
    const other = random() < 0.3 ? 'right-words' : 'other-words';
    const parties = [
      party('sender', 'right-words', 's1'),
      party('receiver', 'right-words', 'r1'),
      party('sender', other, 's2'),
      party('receiver', other, 'r2'),
    ];
    const said: { body: string; from: Party }[] = [];
    const taken = parties.map(() => 0);
    for (let step = 0; step < 12; step++) {
      for (const [i, from] of parties.entries())
        for (; taken[i]! < from.out.length; taken[i]!++) said.push({ body: from.out[taken[i]!]!, from });
      if (step < 2 || said.length === 0 || random() < 0.25) {
        pick(parties).handshake.peerAppeared();
        continue;
      }
      // Any message so far, also an old one, to anybody, also its author.
      const { body, from } = random() < 0.5 ? said.at(-1)! : pick(said);
      const to = random() < 0.7 ? parties[parties.indexOf(from) ^ 1]! : pick(parties);
      to.handshake.receive(random() < 0.7 ? body : altered(body, random));
    }
    for (const { name, role, met, errors } of parties) {
      const same = other === 'right-words';
      for (const agent of met) {
        assert.notEqual(agent[0], name[0], `${name} met ${agent}, seed ${seed}`);
        assert.ok(same || agent[1] === name[1], `${name} met ${agent}, seed ${seed}`);
      }
      assert.ok(role === 'sender' || new Set(met).size <= 1, `${name} met ${met}, seed ${seed}`);
      for (const error of errors) assert.notEqual(error.code, 'INTERNAL', String(error.stack));
      proven += met.length;
      failed += errors.length;
    }
  }
  assert.ok(proven > 0 && failed > 0, 'the rounds reach neither end');
});

/** A message changed in one place: a character, a field, or cut short. */
function altered(body: string, random: () => number): string {
  const at = Math.floor(random() * body.length);
  const fields = JSON.parse(body) as Record<string, unknown>;
  const keys = Object.keys(fields);
  switch (Math.floor(random() * 4)) {
    case 0:
      return body.slice(0, at);
    case 1:
      return body.slice(0, at) + (body[at] === '0' ? '1' : '0') + body.slice(at + 1);
    case 2:
      delete fields[keys[Math.floor(random() * keys.length)]!];
      return JSON.stringify(fields);
    default:
      fields[keys[Math.floor(random() * keys.length)]!] = [0, 2, '', 'share', null, '00'.repeat(65)][
        Math.floor(random() * 6)
      ];
      return JSON.stringify(fields);
  }
}

/** What a hostile server does with a body from one side: what it passes on instead. */
type Relay = (from: Side, body: string) => string[];
const kind = (body: string): string => String(JSON.parse(body).k);
const change =
  (what: string, field: string, to: (value: string) => unknown): Relay =>
  (_from, body) => {
    const fields = JSON.parse(body);
    return [fields.k === what ? JSON.stringify({ ...fields, [field]: to(fields[field]) }) : body];
  };
const flip = (text: string) => text.slice(0, 8) + (text[8] === '0' ? '1' : '0') + text.slice(9);

test(
  'protects from: a server that drops, repeats, alters or reflects what two real peers say',
  LIMIT,
  async (t) => {
    const held: string[] = [];
    const relays: Record<string, [Relay, 'works' | 'fails' | 'either']> = {
      'passes everything on': [(_from, body) => [body], 'works'],
      'drops shares': [(_from, body) => (kind(body) === 'share' ? [] : [body]), 'fails'],
      'drops answers': [(_from, body) => (kind(body) === 'answer' ? [] : [body]), 'fails'],
      'drops accepts': [(_from, body) => (kind(body) === 'accept' ? [] : [body]), 'fails'],
      'repeats everything': [(_from, body) => [body, body], 'either'],
      'repeats answers': [(_from, body) => (kind(body) === 'answer' ? [body, body] : [body]), 'either'],
      'holds each back until the next': [
        (_from, body) => {
          held.push(body);
          return held.length > 1 ? held.splice(0).reverse() : [];
        },
        'fails',
      ],
      'alters a share': [change('share', 'share', flip), 'fails'],
      'alters a proof': [change('answer', 'confirmation', flip), 'fails'],
      'alters a proof back': [change('accept', 'confirmation', flip), 'fails'],
      'alters what is sealed': [change('answer', 'sealed', flip), 'fails'],
      'alters what is sealed back': [change('accept', 'sealed', flip), 'fails'],
      'puts its own words in': [() => ['{"k":"refuse","code":"VERSION"}'], 'fails'],
      'says what is no handshake': [() => ['\u0000'], 'fails'],
    };
    const behaviours = new Map<string, Relay>();
    tamper(t, (box, from, body, pass) => {
      for (const passed of behaviours.get(box.nameplate)!(from, body)) pass(box, passed);
    });
    const { url } = await server(t);
    let plate = 10;
    const run = async ([what, [how, expected]]: [string, [Relay, string]]) => {
      const nameplate = String(plate++);
      behaviours.set(nameplate, how);
      const place = world(t);
      const options = { lan: false, server: url, code: `${nameplate}-velvet-canyon` };
      const sender = send([join(place.outside, 'precious')], options);
      await until(sender, 'listening');
      const receiver = receive({ ...options, accept: 'all', to: place.to });
      const received = await ending(receiver);
      // A sender whose receiver is gone without a proof waits for the right one, as it should.
      setTimeout(() => sender.cancel(), 2500).unref();
      const sent = await ending(sender);
      if (expected === 'works') assert.deepEqual([sent, received], ['', ''], what);
      else if (expected === 'fails')
        assert.ok(sent !== '' && received !== '', `${what}: ${sent} ${received}`);
      else assert.equal(sent === '', received === '', `${what}: ${sent} ${received}`);
      for (const code of [sent, received]) assert.notEqual(code, 'INTERNAL', what);
      assert.deepEqual(tree(place.to), received === '' ? { precious: 'precious' } : {}, what);
    };
    // What may work has the time that it needs, on a busy machine too.
    const all = Object.entries(relays);
    await each(
      all.filter(([, [, expected]]) => expected !== 'fails'),
      run,
      3,
    );
    shorten(t, HANDSHAKE_DEADLINE, 1500);
    await each(
      all.filter(([, [, expected]]) => expected === 'fails'),
      run,
      7,
    );
  },
);

type Pass = (box: SharedMailbox, body: string) => void;

/** What one side of a mailbox says is given to the test, which passes on what it likes, to that side's other in any mailbox. */
function tamper(
  t: test.TestContext,
  said: (box: SharedMailbox, from: Side, body: string, pass: Pass) => void,
): void {
  const { seatGuest, toHost, toGuest } = SharedMailbox.prototype;
  const guests = new Map<SharedMailbox, { number: number; sitter: Sitter }>();
  const replace = (
    name: 'seatGuest' | 'toHost' | 'toGuest',
    by: (this: SharedMailbox, ...rest: never[]) => unknown,
  ) => void t.mock.method(SharedMailbox.prototype, name, by as never);
  replace('seatGuest', function (sitter: Sitter, token: string | undefined) {
    const number = seatGuest.call(this, sitter, token);
    guests.set(this, { number, sitter });
    return number;
  });
  replace('toHost', function (_number: number, _sitter: Sitter, body: string) {
    said(this, 'guest', body, (box, passed) => {
      const guest = guests.get(box);
      if (guest) toHost.call(box, guest.number, guest.sitter, passed);
    });
  });
  replace('toGuest', function (_number: number, body: string) {
    said(this, 'host', body, (box, passed) => toGuest.call(box, guests.get(box)?.number ?? 1, passed));
  });
}

test('protects from: a server that splices two sessions', LIMIT, async (t) => {
  shorten(t, HANDSHAKE_DEADLINE, 1500);
  const boxes = new Map<string, SharedMailbox>();
  // What the sides of one mailbox say goes to those of the other.
  tamper(t, (box, _from, body, pass) => {
    boxes.set(box.nameplate, box);
    const other = [...boxes.values()].find((each) => each !== box);
    if (other) pass(other, body);
  });
  const { url } = await server(t);
  const place = world(t);
  const endings: Promise<string>[] = [];
  for (const code of ['7-velvet-canyon', '8-velvet-canyon']) {
    const options = { lan: false, server: url, code };
    const sender: Transfer = send([join(place.outside, 'precious')], options);
    await until(sender, 'listening');
    const receiver = receive({ ...options, accept: 'all', to: place.to });
    endings.push(ending(sender), ending(receiver));
    setTimeout(() => sender.cancel(), 3000).unref();
  }
  // The very same words under another nameplate are another secret.
  for (const code of await Promise.all(endings)) assert.ok(!['', 'INTERNAL'].includes(code), code);
  assert.deepEqual(tree(place.to), {});
});
