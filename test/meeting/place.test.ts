/** What networks see of a mailbox that several sessions share. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { placeAt, sharedPlace } from '../../src/meeting/place.ts';
import type { Mailbox } from '../../src/meeting/ports.ts';
import { NO_SERVICES } from '../../src/wire/rendezvous.ts';

it('is dialled anew once for a change that all tell of, and again for the next one', async () => {
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
  const shared = sharedPlace(mailbox);
  for (let session = 0; session < 16; session++) shared.reconnect();
  assert.equal(calls.length, 1);
  await turn();
  assert.equal(calls.length, 1, 'nor later');
  for (let session = 0; session < 16; session++) shared.reconnect();
  assert.deepEqual(calls, ['reconnect', 'reconnect']);
  assert.deepEqual([shared.token, shared.services], ['token 2', NO_SERVICES], 'as they are now');
  placeAt(mailbox).reconnect();
  assert.equal(calls.length, 2, 'one that others look after dials nothing');
});
