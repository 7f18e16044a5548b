/** A QR code for the terminal. */

/** Half-block characters, two rows a line, light on dark; the border is what scanners need to find it. */
export async function qrCode(text: string): Promise<string> {
  const { renderUnicodeCompact } = await import('uqr');
  return `${renderUnicodeCompact(text, { border: 2 })}\n`;
}
