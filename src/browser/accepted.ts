/**
 * Offers that the person has accepted, so that a later visit goes on with one without a second question. For each there is a hash
 * of its code, of what was shown of it, and of who offered it: another offer under the same code is another one.
 */
import { parseCode } from '../identity/code.ts';
import { placeFor } from '../identity/place.ts';
import { fromCode } from '../identity/secret.ts';
import type { OfferSummary } from '../session/api.ts';
import { browserKey } from './place.ts';

/** Of what this browser stores: the newest ones, in hex, with a blank between each two. */
const STORED = 'beeline-accepted';
const MOST = 32;

export function isAccepted(code: string, offer: OfferSummary): boolean {
  return marks().includes(markOf(code, offer));
}

export function rememberAccepted(code: string, offer: OfferSummary): void {
  const mark = markOf(code, offer);
  store([mark, ...marks().filter((each) => each !== mark)].slice(0, MOST));
}

/** It is done with: under the same code it is asked about again. */
export function forgetAccepted(code: string, offer: OfferSummary): void {
  const mark = markOf(code, offer);
  store(marks().filter((each) => each !== mark));
}

/** Nobody without this browser's own key learns from it what it is of. */
function markOf(code: string, offer: OfferSummary): string {
  const { kind, files, folders, links, bytes, tops, names, sizes = [], peer } = offer;
  const shown = JSON.stringify([kind, files, folders, links, bytes, tops, names, sizes, peer.fingerprint]);
  return placeFor(browserKey(), fromCode(parseCode(code)), shown);
}

function marks(): string[] {
  try {
    return localStorage.getItem(STORED)?.split(' ') ?? [];
  } catch {
    return [];
  }
}

function store(all: readonly string[]): void {
  try {
    if (all.length > 0) localStorage.setItem(STORED, all.join(' '));
    else localStorage.removeItem(STORED);
  } catch {
    // Then it asks once more.
  }
}
