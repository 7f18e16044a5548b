/** Whoever guesses at a code or sits on a nameplate that is not his. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { HANDSHAKE_DEADLINE } from '../../src/base/limits.ts';
import { receive } from '../../src/node/receive.ts';
import { send } from '../../src/node/send.ts';
import { CODE } from './bad-sender.ts';
import { server, stranger } from './meetings.ts';
import { ending, holdBack, LIMIT, realSender, tree, until, world } from './world.ts';

const WRONG = '7-wrong-words';
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('protects from: a wrong code tried over and over against a sender', LIMIT, async (t) => {
  const place = world(t);
  const { sender, port } = await realSender(t, join(place.outside, 'precious'));
  const url = `http://127.0.0.1:${port}`;
  const guess = () =>
    receive({ accept: 'all', lan: false, code: WRONG, at: `127.0.0.1:${port}`, to: place.to });
  const first = guess();
  assert.equal(await ending(first), 'WRONG_CODE');
  assert.equal(await ending(sender), 'WRONG_CODE');
  // Burned: nobody is there for a second guess, nor for the right one.
  const second = await stranger(t, url);
  assert.notEqual(second.refused, '');
  assert.deepEqual(tree(place.to), {});
});

test('protects from: guessing without answering, to see another share', LIMIT, async (t) => {
  const place = world(t);
  const { sender, port, join: right } = await realSender(t, join(place.outside, 'precious'));
  const shares = new Set<string>();
  for (let i = 0; i < 5; i++) {
    const looking = await stranger(t, `http://127.0.0.1:${port}`);
    while (looking.heard.length === 0) await pause(5);
    shares.add(looking.heard[0]!);
    looking.mailbox!.close();
    await pause(20);
  }
  assert.equal(shares.size, 5, 'a share was shown twice');
  assert.equal(await ending(right({ to: place.to })), '');
  assert.equal(await ending(sender), '');
});

test('protects from: a wrong code tried over and over at a server', LIMIT, async (t) => {
  const { url } = await server(t, { joinsPerHour: 5 });
  for (let i = 0; i < 5; i++) assert.equal((await stranger(t, url, String(i))).refused, 'NO_PEER');
  // Also the right one now, from that address, until the hour is over.
  const host = await stranger(t, url, '7', 'host');
  assert.equal(host.refused, '');
  const limited = await stranger(t, url, '7');
  assert.equal(limited.refused, 'SERVER');
});

test('protects from: a nameplate squatted by a third party', LIMIT, async (t) => {
  const place = world(t);
  const { url } = await server(t);
  const sender = send([join(place.outside, 'precious')], { lan: false, server: url, code: CODE, limit: 10 });
  t.after(() => sender.cancel());
  await until(sender, 'listening');
  let arrived = () => {};
  const asked = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  let go = (_yes: boolean) => {};
  const accept = () => {
    arrived();
    return new Promise<boolean>((resolve) => {
      go = resolve;
    });
  };
  const right = receive({ lan: false, server: url, code: CODE, to: place.to, accept });
  await asked;
  // Neither as a second guest nor as a second host, and nobody is disturbed by the try.
  assert.equal((await stranger(t, url)).refused, 'CROWDED');
  assert.equal((await stranger(t, url, '7', 'host')).refused, 'CROWDED');
  const late = receive({ accept: 'all', lan: false, server: url, code: CODE, to: place.to });
  assert.equal(await ending(late), 'CROWDED');
  go(true);
  assert.equal(await ending(right), '');
  assert.equal(await ending(sender), '');
});

test('protects from: a nameplate squatted by somebody who is first and says nothing', LIMIT, async (t) => {
  const runOut = holdBack(t, HANDSHAKE_DEADLINE);
  const place = world(t);
  const { url } = await server(t);
  const sender = send([join(place.outside, 'precious')], { lan: false, server: url, code: CODE });
  t.after(() => sender.cancel());
  await until(sender, 'listening');
  const squatter = await stranger(t, url);
  assert.equal(squatter.refused, '');
  assert.equal(
    await ending(receive({ accept: 'all', lan: false, server: url, code: CODE, to: place.to })),
    'CROWDED',
  );
  runOut();
  while (squatter.lost.length === 0) await pause(10);
  assert.deepEqual(squatter.lost, ['REFUSED']);
  assert.equal(
    await ending(receive({ accept: 'all', lan: false, server: url, code: CODE, to: place.to })),
    '',
  );
  assert.equal(await ending(sender), '');
});

test('protects from: a nameplate squatted by a host without the secret', LIMIT, async (t) => {
  const place = world(t);
  const { url } = await server(t);
  const squatter = send(['-'], { lan: false, server: url, code: WRONG, stdin: (async function* () {})() });
  t.after(() => squatter.cancel());
  await until(squatter, 'listening');
  const sender = send([join(place.outside, 'precious')], { lan: false, server: url, code: CODE });
  assert.equal(await ending(sender), 'CROWDED');
  const receiver = receive({ accept: 'all', lan: false, server: url, code: CODE, to: place.to });
  assert.equal(await ending(receiver), 'WRONG_CODE');
  assert.deepEqual(tree(place.to), {});
});
