import assert from 'node:assert/strict';
import test from 'node:test';
import { turnCredentials } from '../../src/server/turn.ts';

test("credentials are coturn's: the expiry and the user, and HMAC-SHA1 of both in base64", () => {
  const make = turnCredentials({
    urls: ['turn:turn.example.org:3478'],
    secret: 'north',
    ttl: 600,
    now: () => 1_700_000_000_999,
  });
  // printf '1700000600:alice' | openssl dgst -sha1 -hmac north -binary | base64
  assert.deepEqual(make('alice'), {
    urls: ['turn:turn.example.org:3478'],
    username: '1700000600:alice',
    credential: 'gthUwOpcRoLI0MMCziCEBOWYnpo=',
  });
  assert.notEqual(make('alice').credential, make('bob').credential);
});

test('they are good for a day if nothing else is said', () => {
  const before = Math.floor(Date.now() / 1000);
  const { username } = turnCredentials({ urls: ['turns:[2001:db8::1]?transport=tcp'], secret: 's' })('x');
  const expiry = Number(username.split(':')[0]);
  assert.ok(expiry >= before + 86_400 && expiry <= before + 86_460);
});

test('what no client could use is refused at the start', () => {
  const secret = 's';
  for (const urls of [
    [],
    Array(9).fill('turn:a'),
    ['stun:a'],
    ['turn:'],
    ['turn://a'],
    ['turn:a b'],
    ['turn:a?transport=sctp'],
    [`turn:${'a'.repeat(260)}`],
  ])
    assert.throws(() => turnCredentials({ urls, secret }), { code: 'USAGE' }, String(urls));
  assert.throws(() => turnCredentials({ urls: ['turn:a'], secret: '' }), { code: 'USAGE' });
});
