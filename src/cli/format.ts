/** What a terminal shows, as people read it. */

import { escapeName } from '../base/printable.ts';
import { shortFingerprint } from '../identity/certificate.ts';

export { contents, count, formatBytes, formatDuration, formatRate } from '../session/format.ts';

/** The first 16 hex digits in groups of four, for two people to compare aloud. */
export function groups(hex: string): string {
  const clean = hex.replace(/[:\s]/g, '');
  if (!/^[0-9a-f]+$/i.test(clean)) return hex;
  return shortFingerprint(clean);
}

/** 0 to 100, and 100 only when all is there. */
export function percentOf(bytes: number, total: number): number {
  return bytes >= total ? 100 : Math.min(99, Math.floor((bytes / total) * 100));
}

/** A word for a POSIX shell, quoted only where it must be. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * A text of several lines for a terminal: line feeds and tabs stay, whatever else could move the cursor, colour the
 * screen or reorder what is read is shown as an escape.
 */
export function escapeText(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .split(/([\n\t])/)
    .map((part) => (part === '\n' || part === '\t' ? part : escapeName(part)))
    .join('');
}
