/** When a session opens its UDP port. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { udx } from '../../src/transports/udx/transport.ts';
import { around } from './surroundings.ts';

test('a near lane makes it later, and nothing prevents it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const [near, far] = [true, false].map(async (is) => udx.make(await around('sender', { near: () => is })));
  const both = [await near!, await far!] as const;
  const open = async (i: 0 | 1) => {
    while (!both[i].port?.()) await setImmediate();
  };
  try {
    for (const one of both) {
      one.start?.();
      one.hear(undefined, { met: [], hosts: [], fingerprint: '', tls: true, seal: '' });
    }
    t.mock.timers.tick(250);
    await open(1);
    assert.equal(both[0].port?.(), undefined, 'opened, though the peer is near');
    t.mock.timers.tick(1_750);
    await open(0);
  } finally {
    for (const one of both) await one.close();
  }
});
