/** What sessions are given in tests without curves. */
import type { Pake } from '../../src/session/handshake.ts';

/** An exchange that proves equal passwords at once. */
export const pake: Pake = ({ w }) => ({
  share: new Uint8Array(65),
  finish: () => ({
    key: new Uint8Array(16),
    confirmation: w.slice(0, 32),
    verify: (theirs: Uint8Array) => Buffer.compare(theirs, w.slice(0, 32)) === 0,
  }),
});
