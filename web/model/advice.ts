/** What is said of an error: what happened, in a few words, and what a person at a page can do about it. Pure. */
import { sayIfAny } from '../words/index.ts';

type Role = 'send' | 'receive';

interface Told {
  code: string;
  reason?: string | undefined;
}

/** For a cause of its own, or else for all that share its code; for one side, or for both. */
function told(kind: 'error' | 'next', { code, reason }: Told, role: Role): string {
  for (const name of [reason, code, 'other']) {
    const found = sayIfAny(`${kind}.${name}.${role}`) ?? sayIfAny(`${kind}.${name}`);
    if (found !== undefined) return found.join('');
  }
  return '';
}

export const errorHeading = (error: Told, role: Role): string => told('error', error, role);

export const advice = (error: Told, role: Role): string => told('next', error, role);
