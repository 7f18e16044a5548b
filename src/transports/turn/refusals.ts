/** What a TURN server's error answers mean, for a person (RFC 8656, 19; RFC 6062, 6.3). */
import { type BeelineError, fault } from '../../base/errors.ts';

/** Whose doing it most often is, and what to do about it. */
const ADVICE: Readonly<Record<number, string>> = {
  401: 'It does not accept the username and credential: its secret must be the one that the rendezvous server has, and both clocks right.',
  403: 'It forbids that address; its owner may allow it.',
  437: 'It knows nothing of the allocation any more.',
  438: 'It calls every nonce stale that it has just given out.',
  442: 'It does not relay TCP: its owner must allow TCP allocations (RFC 6062).',
  486: 'This user has as many allocations there as its owner allows: try again later.',
  508: 'It is full: try again later.',
};

/** @param name the server, for people. @param reason as the server words it, fit for a terminal */
export function refusal(name: string, code: number, reason: string): BeelineError {
  const advice = ADVICE[code] ?? 'Its owner can tell why from its log.';
  return fault('TURN_REFUSED', { name, what: `${code}${reason && ` (${reason})`}`, advice });
}
