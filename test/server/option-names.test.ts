/** A server's mistyped option is an error. That the tables have what the types have, the compiler tells. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createRendezvous,
  type RendezvousOptions,
  type ServerOptions,
  startServer,
} from '../../src/server/index.ts';
import type { RENDEZVOUS, SERVER } from '../../src/server/option-names.ts';

type Same<A, B> = [keyof A] extends [keyof B] ? ([keyof B] extends [keyof A] ? true : never) : never;
const SAME = [
  true satisfies Same<typeof RENDEZVOUS, Required<RendezvousOptions>>,
  true satisfies Same<typeof SERVER, Required<ServerOptions>>,
];

test('a mistyped option of a server is an error that names the nearest one', async () => {
  assert.equal(SAME.length, 2);
  const usage = { code: 'USAGE', reason: 'OPTION_UNKNOWN' };
  await assert.rejects(startServer({ port: 0, stun: false, relya: true } as ServerOptions), {
    ...usage,
    message: /`relya` of `startServer`.*`?relay/,
  });
  assert.throws(() => createRendezvous({ limts: {} } as RendezvousOptions), usage);
});
