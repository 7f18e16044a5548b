import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BeelineError } from '../../src/base/errors.ts';
import { MAX_SIGNAL } from '../../src/base/limits.ts';
import {
  type ClientMessage,
  decodeServerMessage,
  encodeRendezvous,
  MAX_RENDEZVOUS_TEXT,
  NO_SERVICES,
  type ServerMessage,
} from '../../src/wire/rendezvous.ts';
import {
  decodeSeatMessage,
  decodeWatcherMessage,
  encodeWatch,
  type WatcherMessage,
} from '../../src/wire/watch.ts';

const token = '0123456789abcdef0123456789abcdef';
const client: ClientMessage[] = [
  { t: 'host', v: 2 },
  { t: 'host', v: 2, nameplate: '7' },
  { t: 'host', v: 2, nameplate: '7', token },
  { t: 'join', v: 2, nameplate: 'a'.repeat(32) },
  { t: 'join', v: 2, nameplate: '7', token },
  { t: 'send', body: '{"a":"\u00e9"}' },
  { t: 'host', v: 2, nameplate: '7', token, guests: 64, used: 7 },
  { t: 'send', guest: 3, body: '' },
  { t: 'drop', guest: 1 },
  { t: 'keep', guest: 1 },
  { t: 'leave' },
];
const server: ServerMessage[] = [
  { t: 'hosted', v: 2, guests: 1, present: [], nameplate: '7', token, services: NO_SERVICES },
  { t: 'joined', v: 2, token, services: NO_SERVICES },
  { t: 'peer', present: true },
  { t: 'peer', guest: 2 ** 31 - 1, present: false },
  { t: 'message', guest: 2, body: 'x' },
  { t: 'message', body: '' },
  { t: 'refused', code: 'CROWDED', message: 'No.' },
];
const isError = (code: string) => (error: unknown) => error instanceof BeelineError && error.code === code;
const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

test('every message survives encoding and decoding', () => {
  for (const message of client)
    assert.deepEqual(plain(decodeSeatMessage(encodeRendezvous(message))), message);
  for (const message of server)
    assert.deepEqual(plain(decodeServerMessage(encodeRendezvous(message))), message);
});

test('a watch names up to a thousand nameplates that nobody can guess, and no other', () => {
  const nameplates = Array.from(
    { length: 1000 },
    (_, i) =>
      `d${String(i)
        .padStart(15, 'a')
        .replace(/[0189]/g, 'z')}`,
  );
  assert.deepEqual(plain(decodeSeatMessage(encodeWatch({ t: 'watch', v: 2, nameplates }))), {
    t: 'watch',
    v: 2,
    nameplates,
  });
  const said: WatcherMessage[] = [
    { t: 'watching', v: 2, present: nameplates },
    { t: 'hosting', nameplate: 'd'.repeat(16), present: false },
    { t: 'refused', code: 'SERVER', message: 'Full.' },
  ];
  for (const message of said) assert.deepEqual(plain(decodeWatcherMessage(encodeWatch(message))), message);
  // A short one is a meeting of strangers: to watch them all would be a list of who meets now.
  for (const bad of [
    [],
    ['7'],
    ['abc'],
    ['d'.repeat(17)],
    ['x'.repeat(16)],
    ['d'.repeat(15)],
    [7],
    'd'.repeat(16),
  ])
    assert.throws(
      () => decodeSeatMessage(JSON.stringify({ t: 'watch', v: 2, nameplates: bad })),
      isError('PROTOCOL'),
    );
  const more = { t: 'watch', v: 2, nameplates: [...nameplates, 'p'.repeat(16)] };
  assert.throws(() => decodeSeatMessage(JSON.stringify(more)), isError('PROTOCOL'));
  assert.throws(
    () => decodeSeatMessage('{"t":"watch","v":1,"nameplates":["dddddddddddddddd"]}'),
    isError('VERSION'),
  );
});

test('what is not a message of this version is refused', () => {
  const bad = [
    '',
    'null',
    '[]',
    '"host"',
    '{}',
    '{"t":"host"}',
    '{"t":"host","v":2,"extra":1}',
    '{"t":"host","v":2,"nameplate":"A"}',
    '{"t":"host","v":2,"nameplate":""}',
    '{"t":"host","v":2,"nameplate":7}',
    `{"t":"host","v":2,"nameplate":"${'a'.repeat(33)}"}`,
    `{"t":"host","v":2,"token":"${token}"}`,
    '{"t":"host","v":2,"nameplate":"7","token":"xyz"}',
    '{"t":"join","v":2}',
    '{"t":"send"}',
    '{"t":"send","body":7}',
    '{"t":"drop","guest":1,"body":"x"}',
    '{"t":"drop"}',
    '{"t":"drop","guest":0}',
    '{"t":"keep","guest":1.5}',
    '{"t":"send","guest":2147483648,"body":"x"}',
    '{"t":"host","v":2,"guests":0}',
    '{"t":"host","v":2,"guests":1025}',
    '{"t":"host","v":2,"used":-1}',
    '{"t":"__proto__"}',
    '['.repeat(20_000),
  ];
  for (const text of bad)
    assert.throws(() => decodeSeatMessage(text), isError('PROTOCOL'), text.slice(0, 60));
  for (const text of [
    ...bad,
    '{"t":"hosted","v":2,"guests":1,"present":[],"nameplate":"7"}',
    '{"t":"peer","present":1}',
  ])
    assert.throws(() => decodeServerMessage(text), isError('PROTOCOL'), text.slice(0, 60));
  assert.throws(() => decodeServerMessage('{"t":"refused","code":"MINE","message":""}'), isError('PROTOCOL'));
  assert.throws(() => decodeSeatMessage('{"t":"host","v":9,"new":true}'), isError('VERSION'));
  assert.throws(() => decodeServerMessage('{"t":"joined","v":99}'), isError('VERSION'));
});

test('sizes are bounded in bytes, not characters', () => {
  const most = 'x'.repeat(MAX_SIGNAL);
  const quoted = '"'.repeat(MAX_SIGNAL);
  for (const body of [most, quoted])
    assert.equal((decodeSeatMessage(encodeRendezvous({ t: 'send', body })) as { body: string }).body, body);
  assert.throws(() => encodeRendezvous({ t: 'send', body: `${most}x` }), isError('INTERNAL'));
  assert.throws(
    () => encodeRendezvous({ t: 'send', body: '\u00e9'.repeat(MAX_SIGNAL / 2 + 1) }),
    isError('INTERNAL'),
  );
  assert.throws(
    () => encodeRendezvous({ t: 'send', body: '\u0001'.repeat(MAX_SIGNAL) }),
    isError('INTERNAL'),
  );
  const long = JSON.stringify({ t: 'send', body: '\u00e9'.repeat(MAX_SIGNAL / 2 + 1) });
  assert.throws(() => decodeSeatMessage(long), isError('PROTOCOL'));
  assert.throws(() => decodeServerMessage(' '.repeat(MAX_RENDEZVOUS_TEXT + 1)), isError('PROTOCOL'));
});

test("a server's sentence cannot steer the terminal", () => {
  const text = JSON.stringify({ t: 'refused', code: 'SERVER', message: 'a\u001b[2J\u202eb\nc' });
  assert.equal((decodeServerMessage(text) as { message: string }).message, 'a [2J b c');
});

test('decoders end in a message or a BeelineError, whatever comes', () => {
  const kinds = fc.constantFrom(
    'host',
    'join',
    'send',
    'drop',
    'keep',
    'leave',
    'hosted',
    'joined',
    'peer',
    'message',
    'refused',
  );
  const odd = fc.dictionary(
    fc.constantFrom('v', 'nameplate', 'token', 'guest', 'guests', 'body', 'present', 'code', 'message', 'x'),
    fc.jsonValue(),
  );
  const near = fc.tuple(kinds, odd).map(([t, fields]) => JSON.stringify({ t, ...fields }));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json(), near), (text) => {
      for (const decode of [decodeSeatMessage, decodeServerMessage, decodeWatcherMessage]) {
        try {
          const message = decode(text);
          assert.deepEqual(plain(decode(JSON.stringify(message))), plain(message));
        } catch (error) {
          assert.ok(isError('PROTOCOL')(error) || isError('VERSION')(error), String(error));
        }
      }
    }),
  );
});
