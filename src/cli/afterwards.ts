/** What an interruption means for what has moved, and how to go on. */
import type { Tracker } from './tracker.ts';

export interface Side {
  role: 'send' | 'receive';
  /** A code was found for this transfer, or will be for the next; false where a key or a code of the person's own stands. */
  newCode: boolean;
  /** False if it goes to stdout, where nothing can be kept. */
  keeps: boolean;
}

export function afterInterrupt({ role, newCode, keeps }: Side, view: Tracker): string {
  if (view.bytes === 0) return 'Nothing had moved yet.';
  if (!keeps || view.stream) return 'This cannot go on later: it has to be sent anew.';
  if (role === 'send')
    return `The receiver keeps what has arrived: send again ${newCode ? 'for a new code ' : ''}to go on.`;
  const how = newCode ? ', with the same code while the sender waits, or with a new one' : '';
  return `What has arrived is kept: receive again into the same folder to go on${how}.`;
}
