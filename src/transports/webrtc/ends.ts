/** Between which addresses a connection runs, for people and logs, from its statistics (W3C WebRTC Statistics). */
import { isAddress } from '../../base/addresses.ts';
import { formatAddress } from '../../wire/candidate.ts';
import type { PeerConnection } from './ports.ts';

export interface Ends {
  local: string;
  remote: string;
  /** A TURN server is between, on either side. */
  relayed: boolean;
}

/** Milliseconds: nobody waits longer for what is only said. */
const DEADLINE = 300;
const UNKNOWN: Ends = { local: 'webrtc', remote: 'webrtc', relayed: false };

export function endsOf(connection: PeerConnection): Promise<Ends> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(UNKNOWN), DEADLINE);
    connection
      .getStats()
      .then((statistics) => {
        const entries = new Map<unknown, Record<string, unknown>>();
        statistics.forEach((entry) => {
          entries.set(entry.id, entry);
        });
        resolve(selected(entries));
      })
      .catch(() => resolve(UNKNOWN))
      .finally(() => clearTimeout(timer));
  });
}

function selected(entries: ReadonlyMap<unknown, Record<string, unknown>>): Ends {
  const all = [...entries.values()];
  const transport = all.find(({ type }) => type === 'transport');
  // Firefox has no entry for the transport, and marks the pair itself.
  const pair =
    entries.get(transport?.selectedCandidatePairId) ??
    all.find(({ type, state, nominated }) => type === 'candidate-pair' && nominated && state === 'succeeded');
  const local = entries.get(pair?.localCandidateId);
  const remote = entries.get(pair?.remoteCandidateId);
  const relayed = [local, remote].some((candidate) => candidate?.candidateType === 'relay');
  return { local: place(local), remote: place(remote), relayed };
}

/** A browser may keep addresses to itself, or give names that it made up (draft-ietf-mmusic-mdns-ice-candidates). */
function place(candidate: Record<string, unknown> | undefined): string {
  const host = candidate?.address ?? candidate?.ip;
  const port = candidate?.port;
  return typeof host === 'string' && isAddress(host) && typeof port === 'number'
    ? formatAddress({ host, port })
    : 'webrtc';
}
