/** How a text from outside is shown: nothing in it is invisible, and nothing steers a terminal. Pure. */

export const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
/**
 * What a terminal obeys or does not show. Default_Ignorable covers bidi controls, zero-width and tag characters;
 * variation selectors are in it too but choose the glyph of the letter before them, so they stay, like the Arabic
 * number signs, which are format characters that print.
 */
const INVISIBLE =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\ufff9-\ufffb]|(?!\p{Variation_Selector})\p{Default_Ignorable_Code_Point}/gu;

/** Letters, marks, digits, punctuation, symbols and plain spaces: no control, no bidi override. */
const PLAIN = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u;
/** More marks on one letter than any script needs: they would pile up over what stands above. */
const PILE = /\p{M}{4}/u;

/** Whether a stranger's name can be shown as it is: nothing in it is invisible, piled up, or at its ends. */
export function isPlainName(text: string): boolean {
  return PLAIN.test(text) && !PILE.test(text) && escapeName(text) === text && text.trim() === text;
}

/** A text for terminals and logs: whatever is invisible or steers a terminal becomes `\u{..}`. Idempotent. */
export function escapeName(text: string): string {
  if (PRINTABLE_ASCII.test(text)) return text;
  return text.replace(INVISIBLE, (found) => `\\u{${found.codePointAt(0)!.toString(16)}}`);
}

/** The same as a name in a sentence. */
export function quoted(text: string): string {
  return `'${escapeName(text)}'`;
}
