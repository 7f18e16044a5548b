/** A QR code for the terminal. Imported only where one is asked for. */
import { renderUnicodeCompact } from 'uqr';

/** Half-block characters, two rows a line, light on dark; the border is what scanners need to find it. */
export function qrCode(text: string): string {
  return `${renderUnicodeCompact(text, { border: 2 })}\n`;
}
