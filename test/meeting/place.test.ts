/** One mailbox that several sessions share. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Mailbox } from '../../src/meeting/ports.ts';
import { sharedMailbox } from '../../src/meeting/shared.ts';
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
  const shared = sharedMailbox(mailbox, clock);
  for (let session = 0; session < 16; session++) shared.reconnect();
  assert.equal(calls.length, 1);
  await clock.pass(900);
  assert.equal(calls.length, 1);
  // What was told meanwhile may have been another change.
  await clock.pass(5_000);
  assert.equal(calls.length, 2);
  shared.reconnect();
  await clock.pass(5_000);
  shared.send('body', 2);
  shared.keep(2);
  shared.drop(3);
  shared.close();
  assert.deepEqual(calls, ['reconnect', 'reconnect', 'reconnect', 'body 2', 'keep 2', 'drop 3', 'close']);
  assert.deepEqual([shared.token, shared.nameplate, shared.guests], ['token 7', '7', 3]);
});
