import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BeelineError } from '../../src/base/errors.ts';
import { MAX_SIGNAL } from '../../src/base/limits.ts';
import {
  type ClientMessage,
  decodeClientMessage,
  decodeServerMessage,
  encodeRendezvous,
  MAX_RENDEZVOUS_TEXT,
  NO_SERVICES,
  type ServerMessage,
} from '../../src/wire/rendezvous.ts';

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
    assert.deepEqual(plain(decodeClientMessage(encodeRendezvous(message))), message);
  for (const message of server)
    assert.deepEqual(plain(decodeServerMessage(encodeRendezvous(message))), message);
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
    assert.throws(() => decodeClientMessage(text), isError('PROTOCOL'), text.slice(0, 60));
  for (const text of [
    ...bad,
    '{"t":"hosted","v":2,"guests":1,"present":[],"nameplate":"7"}',
    '{"t":"peer","present":1}',
  ])
    assert.throws(() => decodeServerMessage(text), isError('PROTOCOL'), text.slice(0, 60));
  assert.throws(() => decodeServerMessage('{"t":"refused","code":"MINE","message":""}'), isError('PROTOCOL'));
  assert.throws(() => decodeClientMessage('{"t":"host","v":9,"new":true}'), isError('VERSION'));
  assert.throws(() => decodeServerMessage('{"t":"joined","v":99}'), isError('VERSION'));
});

test('sizes are bounded in bytes, not characters', () => {
  const most = 'x'.repeat(MAX_SIGNAL);
  const quoted = '"'.repeat(MAX_SIGNAL);
  for (const body of [most, quoted])
    assert.equal((decodeClientMessage(encodeRendezvous({ t: 'send', body })) as { body: string }).body, body);
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
  assert.throws(() => decodeClientMessage(long), isError('PROTOCOL'));
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
      for (const decode of [decodeClientMessage, decodeServerMessage]) {
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
