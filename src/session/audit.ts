/** One line for each transfer in the log: who, what, how much, and how it ended. Never a code, key or file content. */
import type { Entry } from '../offer/manifest.ts';
import type { Session } from './session.ts';

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

/** Logs the line when the session ends, whichever way. */
export function auditAtEnd(session: Session, role: 'sender' | 'receiver', facts: () => object): void {
  const line = (result: object) =>
    session.log?.info({ audit: true, role, ...facts(), ...result }, 'transfer');
  session.done.then(
    ({ root, seconds }) => line({ result: 'done', root, seconds }),
    (error) => line({ result: 'failed', code: error.code }),
  );
}
