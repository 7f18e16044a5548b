/** A hello for tests: of a side that can be reached in no way, unless something else is said. */
import type { Hello } from '../src/wire/signal.ts';

export function helloOf(said: Partial<Hello> = {}): Hello {
  return {
    fingerprint: 'ab'.repeat(32),
    tls: true,
    seal: 'cd'.repeat(32),
    transports: {},
    hosts: [],
    agent: 'test',
    lanes: 0,
    ...said,
  };
}
