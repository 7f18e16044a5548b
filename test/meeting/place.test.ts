/** What networks see of a mailbox that several sessions share. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { placeAt, sharedPlace } from '../../src/meeting/place.ts';
import type { Mailbox } from '../../src/meeting/ports.ts';
import { NO_SERVICES } from '../../src/wire/rendezvous.ts';
import { VirtualClock } from '../virtual-clock.ts';

it('is dialled anew at once for a change that all tell of, and once more a second later', async () => {
  const calls: string[] = [];
  const mailbox: Mailbox = {
    ...{ nameplate: '7', services: NO_SERVICES, guests: 3 },
    get token() {
      return `token ${calls.length}`;
    },
    send: (body, guest) => void calls.push(`${body} ${guest}`),
    drop: (guest) => void calls.push(`drop ${guest}`),
    keep: (guest) => void calls.push(`keep ${guest}`),
    reconnect: () => void calls.push('reconnect'),
    close: () => void calls.push('close'),
  };
  const clock = new VirtualClock();
  const shared = sharedPlace(mailbox, clock);
  for (let session = 0; session < 16; session++) shared.reconnect();
  assert.equal(calls.length, 1);
  await clock.pass(900);
  assert.equal(calls.length, 1);
  // What was told meanwhile may have been another change.
  await clock.pass(5_000);
  assert.equal(calls.length, 2);
  shared.reconnect();
  await clock.pass(5_000);
  shared.reconnect();
  shared.close();
  await clock.pass(5_000);
  assert.deepEqual(calls, ['reconnect', 'reconnect', 'reconnect', 'reconnect'], 'nothing after the end');
  assert.deepEqual([shared.token, shared.services], ['token 4', NO_SERVICES], 'as they are now');
  assert.equal(clock.waiting, 0);
  placeAt(mailbox).reconnect();
  assert.equal(calls.length, 4, 'one that others look after dials nothing');
});
