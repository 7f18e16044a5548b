/** One line for each transfer in the log: who, what, how much, and how it ended. Never a code, key or file content. */
import type { Entry } from '../offer/manifest.ts';
import type { Running } from './transfer.ts';

export interface Counts {
  files: number;
  folders: number;
  links: number;
}

export function count(entries: readonly Entry[]): Counts {
  const counts: Counts = { files: 0, folders: 0, links: 0 };
  // In one go, so without making the fields' names: there may be millions.
  for (const { kind } of entries)
    if (kind === 'file') counts.files++;
    else if (kind === 'folder') counts.folders++;
    else counts.links++;
  return counts;
}

/** Logs the line when the transfer ends, whichever way. */
export function auditAtEnd({ log, done, session }: Running, facts: () => object): void {
  const { role } = session;
  const line = (result: object) =>
    log?.info({ audit: true, role, peer: session.peer.fingerprint, ...facts(), ...result }, 'transfer');
  done.then(
    ({ root, seconds }) => line({ result: 'done', root, seconds }),
    (error) => line({ result: 'failed', code: error.code }),
  );
}
