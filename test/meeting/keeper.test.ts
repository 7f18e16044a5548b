/** The keeper against a scripted server: what only happens when a server or a network misbehaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { Backlog, keepMailbox } from '../../src/meeting/keeper.ts';
import type { Dial, MailboxOptions, WireEvents } from '../../src/meeting/ports.ts';
import { rendezvousUrl } from '../../src/websocket/url.ts';
import { encodeRendezvous, NO_SERVICES, type ServerMessage } from '../../src/wire/rendezvous.ts';

const token = 'f'.repeat(32);
const hosted: ServerMessage = {
  t: 'hosted',
  v: 2,
  guests: 1,
  present: [],
  nameplate: '7',
  token,
  services: NO_SERVICES,
};
const nobody: ServerMessage = { t: 'refused', code: 'NO_PEER', message: 'Nobody.' };
const gone = new BeelineError('SERVER', 'gone');
const code = (wanted: string) => (error: unknown) => error instanceof BeelineError && error.code === wanted;

/** Answers the nth hello with the nth script line. */
function server(...answers: (ServerMessage | 'silence' | string)[]) {
  const said: string[] = [];
  const wires: WireEvents[] = [];
  const dial: Dial = async (events) => {
    const answer = answers[Math.min(wires.length, answers.length - 1)]!;
    wires.push(events);
    return {
      send(text) {
        said.push(text);
        if (!/"t":"(host|join)"/.test(text) || answer === 'silence') return;
        queueMicrotask(() => events.text(typeof answer === 'string' ? answer : encodeRendezvous(answer)));
      },
      close: () => said.push('closed'),
    };
  };
  const tell = (message: ServerMessage) => wires.at(-1)!.text(encodeRendezvous(message));
  return { dial, said, wires, tell };
}

function listener() {
  const events: unknown[] = [];
  const waiting: (() => void)[] = [];
  const tell = (event: unknown) => {
    events.push(event);
    for (const wake of waiting.splice(0)) wake();
  };
  const options: MailboxOptions = {
    role: 'host',
    deadline: 20_000,
    onMessage: tell,
    onPeer: tell,
    onLost: tell,
  };
  const until = async (wanted: () => boolean) => {
    while (!wanted()) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return { events, options, until };
}

test('a wait for a host that never comes ends as NO_PEER, a silent server as TIMEOUT', async () => {
  const guest = {
    ...listener().options,
    role: 'guest',
    nameplate: '7',
    waitForHost: true,
    deadline: 20,
  } as const;
  await assert.rejects(keepMailbox(server(nobody).dial, guest), code('NO_PEER'));
  await assert.rejects(keepMailbox(server('silence').dial, guest), code('TIMEOUT'));
});

test('a server that answers with something else is refused', async () => {
  const { options } = listener();
  for (const answer of ['junk', '{"t":"peer","present":true}', `{"t":"joined","v":2,"token":"${token}"}`])
    await assert.rejects(keepMailbox(server(answer).dial, options), code('PROTOCOL'), answer);
  await assert.rejects(keepMailbox(server(hosted).dial, { ...options, nameplate: '8' }), code('PROTOCOL'));
  await assert.rejects(keepMailbox(server('{"t":"hosted","v":3}').dial, options), code('VERSION'));
});

test('the place is taken back with its token, and what was said meanwhile follows', async () => {
  const it = listener();
  const script = server(hosted, 'silence', { ...hosted, present: [1] } as ServerMessage);
  const mailbox = await keepMailbox(script.dial, it.options);
  script.tell({ t: 'peer', guest: 1, present: true });
  await it.until(() => it.events.length === 1);
  script.wires[0]!.closed(gone);
  mailbox.send('meanwhile', 1);
  mailbox.drop(1);
  while (script.wires.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  script.wires[1]!.closed(gone);
  while (script.said.filter((text) => text.includes('"host"')).length < 3)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const hello = script.said.findLast((text) => text.includes('"host"'));
  assert.equal(hello, `{"t":"host","v":2,"nameplate":"7","token":"${token}","used":1}`);
  await it.until(() => it.events.length === 2);
  assert.deepEqual(it.events, [true, true]);
  assert.deepEqual(script.said.slice(-2), [
    '{"t":"send","guest":1,"body":"meanwhile"}',
    '{"t":"drop","guest":1}',
  ]);
  mailbox.close();
  mailbox.close();
  assert.deepEqual(script.said.slice(-2), ['{"t":"leave"}', 'closed']);
});

test('a loss that cannot be mended is told once, also right after opening', async () => {
  const it = listener();
  const script = server(hosted);
  const opening = keepMailbox(script.dial, { ...it.options, reconnect: false });
  while (script.said.length === 0) await null;
  await null;
  script.wires[0]!.closed(gone);
  const mailbox = await opening;
  assert.deepEqual(it.events, [], 'not before the opener has its mailbox');
  await it.until(() => it.events.length === 1);
  mailbox.send('into the void', 1);
  script.tell({ t: 'message', guest: 1, body: 'late' });
  assert.deepEqual(it.events, [gone]);

  const other = listener();
  const crowded = server(hosted, { t: 'refused', code: 'CROWDED', message: 'Taken.' });
  await keepMailbox(crowded.dial, other.options);
  crowded.wires[0]!.closed(gone);
  await other.until(() => other.events.length === 1);
  assert.ok(code('CROWDED')(other.events[0]));
});

const other = 'e'.repeat(32);
const services = { relay: true, stun: [4848, 4849] };

async function eventually(wanted: () => boolean): Promise<void> {
  while (!wanted()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('token and services are those of the last welcome, and every welcome is told', async () => {
  const it = listener();
  const script = server(hosted, { ...hosted, token: other, services } as ServerMessage);
  let welcomes = 0;
  const options = { ...it.options, onWelcome: () => void welcomes++ };
  const mailbox = await keepMailbox(script.dial, options);
  assert.deepEqual([mailbox.token, mailbox.services], [token, NO_SERVICES]);
  assert.equal(welcomes, 0, 'not before the opener has its mailbox');
  await eventually(() => welcomes === 1);
  script.wires[0]!.closed(gone);
  await eventually(() => welcomes === 2);
  assert.deepEqual([mailbox.token, mailbox.services], [other, services]);
  mailbox.close();
});

test('a server that ends the meeting for reasons of its own is come back to', async () => {
  const it = listener();
  const script = server(hosted);
  const mailbox = await keepMailbox(script.dial, it.options);
  script.tell({ t: 'refused', code: 'SERVER', message: 'This server is shutting down.' });
  await eventually(() => script.wires.length === 2);
  assert.deepEqual(it.events, []);
  mailbox.close();
  // Its refusal of this side is another matter.
  const guest = listener();
  const joined = { t: 'joined', v: 2, token, services: NO_SERVICES } as const;
  const meeting = server(joined);
  await keepMailbox(meeting.dial, { ...guest.options, role: 'guest', nameplate: '7' });
  meeting.tell({ t: 'refused', code: 'REFUSED', message: 'Out.' });
  await guest.until(() => guest.events.length === 1);
  assert.ok(code('REFUSED')(guest.events[0]));
});

test('a server that cannot be reached is told of once, and that it is there again', async () => {
  const it = listener();
  const script = server(hosted);
  let away = false;
  const told: unknown[] = [];
  const dial: Dial = async (...args) => {
    if (away) throw new BeelineError('SERVER', 'refused');
    return script.dial(...args);
  };
  let attempts = 0;
  const counted: Dial = (...args) => {
    attempts++;
    return dial(...args);
  };
  const options = { ...it.options, onServer: (error?: BeelineError) => told.push(error?.message) };
  const mailbox = await keepMailbox(counted, options);
  away = true;
  script.wires[0]!.closed(gone);
  await eventually(() => attempts === 3);
  await eventually(() => told.length > 0);
  assert.deepEqual(told, ['refused']);
  away = false;
  await eventually(() => told.length === 2);
  assert.deepEqual(told, ['refused', undefined]);
  assert.deepEqual(it.events, []);
  // A connection that is made again at once is nothing to tell of.
  script.wires.at(-1)!.closed(gone);
  await eventually(() => script.wires.length === 3);
  assert.equal(told.length, 2);
  mailbox.close();
});

test('a host whose place is not its own any more opens the nameplate anew; a guest gives up', async () => {
  const it = listener();
  const refusal: ServerMessage = { t: 'refused', code: 'CROWDED', message: 'Whose token is that?' };
  const script = server(hosted, refusal, { ...hosted, token: other } as ServerMessage);
  const mailbox = await keepMailbox(script.dial, it.options);
  script.wires[0]!.closed(gone);
  await eventually(() => mailbox.token === other);
  const hellos = script.said.filter((text) => text.includes('"host"')).map((text) => JSON.parse(text));
  assert.deepEqual(
    hellos.map((hello) => [hello.nameplate, hello.token]),
    [
      [undefined, undefined],
      ['7', token],
      ['7', undefined],
    ],
  );
  assert.deepEqual(it.events, []);
  mailbox.close();

  const guest = listener();
  const joined = { t: 'joined', v: 2, token, services: NO_SERVICES } as const;
  const taken = server(joined, refusal);
  await keepMailbox(taken.dial, { ...guest.options, role: 'guest', nameplate: '7' });
  taken.wires[0]!.closed(gone);
  await guest.until(() => guest.events.length === 1);
  assert.ok(code('CROWDED')(guest.events[0]));
  assert.equal(taken.wires.length, 2);
});

test('a place is tried for as long as its owner wants, and no longer', async () => {
  const it = listener();
  const full: ServerMessage = { t: 'refused', code: 'SERVER', message: 'This server is full.' };
  const script = server(hosted, full);
  await keepMailbox(script.dial, { ...it.options, keepFor: 0 });
  script.wires[0]!.closed(gone);
  await it.until(() => it.events.length === 1);
  assert.match((it.events[0] as Error).message, /full/);
  assert.equal(script.wires.length, 2);
});

test('reconnect drops the present connection and dials again at once, also while a dial hangs', async () => {
  const it = listener();
  const script = server(hosted, 'silence', 'silence', hosted);
  const mailbox = await keepMailbox(script.dial, it.options);
  mailbox.reconnect();
  assert.equal(script.said.at(-1), 'closed');
  assert.equal(script.wires.length, 2, 'in the same turn');
  await new Promise((resolve) => setImmediate(resolve));
  mailbox.reconnect();
  assert.equal(script.wires.length, 3);
  mailbox.reconnect();
  assert.equal(script.wires.length, 4);
  await eventually(() => script.said.filter((text) => text === 'closed').length >= 3);
  script.tell({ t: 'peer', guest: 1, present: true });
  await it.until(() => it.events.length === 1);
  assert.deepEqual(it.events, [true], 'no loss is told of what was mended');
  mailbox.close();
  mailbox.reconnect();
  assert.equal(script.wires.length, 4);
  const local = await keepMailbox(server(hosted).dial, { ...it.options, reconnect: false });
  local.reconnect();
  local.close();
});

test('nothing is told after close, and an aborted signal closes', async () => {
  const it = listener();
  const script = server(hosted);
  const stop = new AbortController();
  const mailbox = await keepMailbox(script.dial, { ...it.options, signal: stop.signal });
  script.tell({ t: 'peer', guest: 1, present: true });
  script.tell({ t: 'message', guest: 1, body: 'held' });
  stop.abort();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(it.events, []);
  assert.equal(script.said.at(-1), 'closed');
  mailbox.close();
});

test('a backlog is bounded for each guest and in all; nobody pushes out what is for another', () => {
  const backlog = new Backlog();
  backlog.add('quiet', 2);
  for (let i = 0; i < 1000; i++) backlog.add(String(i), 1);
  const kept = backlog.take([1, 2, 3]);
  assert.equal(kept.length, 65);
  assert.deepEqual([kept[0], kept.at(-2), kept.at(-1)], ['936', '999', 'quiet']);
  assert.deepEqual(backlog.take([1, 2]), [], 'taken once');
  backlog.add('for one who has gone', 7);
  assert.deepEqual(backlog.take([1]), []);
  assert.deepEqual(backlog.take([7]), [], 'a later one of that number does not get it');
  const large = 'x'.repeat(30_000);
  for (let i = 0; i < 64; i++) backlog.add(large, 1);
  assert.ok(backlog.take([1]).length < 10);
  backlog.add('quiet', 0);
  const crowd = Array.from({ length: 1024 }, (_, i) => i + 1);
  for (const guest of crowd) for (let i = 0; i < 8; i++) backlog.add(large, guest);
  const all = backlog.take([0, ...crowd]);
  assert.equal(all[0], 'quiet');
  assert.ok(all.join('').length <= 16 * 16 * 16_384);
});

/** What a host hears, with the guests' names. */
function hostListener() {
  const it = listener();
  const heard: (string | Error)[] = [];
  const options: MailboxOptions = {
    ...it.options,
    guests: 5,
    onMessage: (body, guest) => heard.push(`${guest}: ${body}`),
    onPeer: (present, guest) => heard.push(`${present ? '+' : '-'}${guest}`),
    onLost: (error) => heard.push(error),
  };
  return { heard, options };
}

test('a host that comes back hears who went meanwhile and who is there, and what it said is for the right guest', async () => {
  const it = hostListener();
  const again = { ...hosted, guests: 4, present: [2, 5] } as ServerMessage;
  const script = server({ ...hosted, guests: 5 } as ServerMessage, again);
  const mailbox = await keepMailbox(script.dial, it.options);
  assert.equal(mailbox.guests, 5);
  assert.match(script.said[0]!, /"guests":5/);
  for (const guest of [1, 2, 3]) script.tell({ t: 'peer', guest, present: true });
  script.tell({ t: 'message', guest: 3, body: 'hello' });
  script.tell({ t: 'message', guest: 4, body: 'nobody knows me' });
  script.tell({ t: 'peer', guest: 4, present: false });
  script.tell({ t: 'peer', guest: 3, present: false });
  await eventually(() => it.heard.length === 5);
  assert.deepEqual(it.heard.splice(0), ['+1', '+2', '+3', '3: hello', '-3']);
  script.wires[0]!.closed(gone);
  mailbox.send('for one', 1);
  mailbox.send('for two', 2);
  mailbox.keep(2);
  await eventually(() => it.heard.length === 3);
  assert.deepEqual(it.heard, ['-1', '+2', '+5']);
  assert.equal(mailbox.guests, 4);
  const [hello, ...said] = script.said.slice(1);
  assert.match(hello!, /"guests":5,"used":4/);
  assert.deepEqual(said, ['{"t":"send","guest":2,"body":"for two"}', '{"t":"keep","guest":2}']);
  mailbox.close();
});

test('a server that mixes up hosts and guests, or lets in a crowd without end, is refused', async () => {
  const joined = { t: 'joined', v: 2, token, services: NO_SERVICES } as const;
  const wrong: [MailboxOptions['role'], ServerMessage][] = [
    ['host', { t: 'peer', present: true }],
    ['host', { t: 'message', body: 'x' }],
    ['guest', { t: 'peer', guest: 1, present: true }],
    ['guest', { t: 'message', guest: 1, body: 'x' }],
  ];
  for (const [role, message] of wrong) {
    const it = hostListener();
    const script = server(role === 'host' ? hosted : joined);
    await keepMailbox(script.dial, { ...it.options, role, nameplate: '7' });
    script.tell(message);
    await eventually(() => it.heard.length === 1);
    assert.ok(code('PROTOCOL')(it.heard[0]), JSON.stringify(message));
  }
  const it = hostListener();
  const script = server(hosted);
  await keepMailbox(script.dial, it.options);
  for (let guest = 1; guest <= 1025; guest++) script.tell({ t: 'peer', guest, present: true });
  await eventually(() => it.heard.length === 1025);
  assert.ok(code('PROTOCOL')(it.heard.at(-1)));
});

test('URLs of all four schemes lead to the rendezvous path', () => {
  const expected = {
    'http://h': 'ws://h/v1/rendezvous',
    'https://h/': 'wss://h/v1/rendezvous',
    'ws://h:8080/sub/': 'ws://h:8080/sub/v1/rendezvous',
    'wss://[::1]/v1/rendezvous#x': 'wss://[::1]/v1/rendezvous',
  };
  for (const [text, url] of Object.entries(expected)) assert.equal(rendezvousUrl(text), url);
  for (const text of ['', 'h:1', 'file:///x', 'mailto:x'])
    assert.throws(() => rendezvousUrl(text), code('USAGE'), text);
});

test('what a wire said as it opened is not said again, and its answer may come in the same turn', async () => {
  const it = listener();
  const said: string[] = [];
  let first = '';
  const dial: Dial = async (events, _signal, text) => {
    first = text;
    events.text(encodeRendezvous(hosted));
    return { said: true, send: (text) => said.push(text), close: () => {} };
  };
  const mailbox = await keepMailbox(dial, it.options);
  assert.equal(first, '{"t":"host","v":2}');
  assert.deepEqual([mailbox.nameplate, said], ['7', []]);
});

test('a server that answers what was not said yet is not believed', async () => {
  const closed: string[] = [];
  const dial: Dial = async (events) => {
    events.text(encodeRendezvous(hosted));
    return { send: () => {}, close: () => closed.push('closed') };
  };
  await assert.rejects(keepMailbox(dial, listener().options), code('PROTOCOL'));
  assert.deepEqual(closed, ['closed']);
});
