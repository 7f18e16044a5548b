/** What events mean to whoever shows them, in a terminal or on a page. */
import type { TransferEvent } from './api.ts';

/** Codes of ends that a person chose. Such a receiver is not waited for, and nobody comes in its place. */
export const CHOSEN: ReadonlySet<string> = new Set(['REFUSED', 'CANCELLED']);

/** At a receiver: it is about another receiver. What is shown is how it goes with the sender, and how many others there are. */
export function isOfOther(role: 'send' | 'receive', event: TransferEvent): boolean {
  return role === 'receive' && 'peer' in event && event.peer !== undefined && event.peer > 1;
}
