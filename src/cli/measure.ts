/** How many terminal columns a text takes, and cutting it to fit without splitting what a person sees as one. */

// string-width takes longer to load than the rest of the command, and most names are ASCII: it is loaded when the
// first other name shows up, and until then every character that might be wide counts as wide.
let exact: ((text: string) => number) | undefined;
let loading: Promise<void> | undefined;

const ASCII = /^[\x20-\x7e]*$/;
/** ASCII and the display's own signs, one column wide. A status that counted as wider would erase lines above it. */
const NARROW = /^[\x20-\x7e\u2501\u2500\u2026]*$/;

/** Resolves once widths are exact. Without the module they stay conservative. */
export function loadWidths(): Promise<void> {
  loading ??= import('string-width').then(
    (module) => {
      exact = module.default;
    },
    () => undefined,
  );
  return loading;
}

export function columns(text: string): number {
  if (NARROW.test(text)) return text.length;
  void loadWidths();
  if (exact) return exact(text);
  let width = 0;
  for (const char of text) width += char.codePointAt(0)! < 0x1100 ? 1 : 2;
  return width;
}

let segmenter: Intl.Segmenter | undefined;

function graphemes(text: string): string[] {
  if (ASCII.test(text)) return text.split('');
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return Array.from(segmenter.segment(text), (part) => part.segment);
}

/** How many rows a terminal of so many columns makes of a line. What a person sees as one is never divided. */
export function rowsOf(text: string, wide: number): number {
  if (columns(text) <= wide) return 1;
  if (NARROW.test(text)) return Math.ceil(text.length / wide);
  let rows = 1;
  let used = 0;
  for (const part of graphemes(text)) {
    const more = columns(part);
    if (used + more > wide) {
      rows++;
      used = 0;
    }
    used += more;
  }
  return rows;
}

/** At most `room` columns; what is cut is cut from the front, because a path ends with the file's own name. */
export function keepEnd(text: string, room: number): string {
  if (columns(text) <= room) return text;
  const ellipsis = columns('…');
  if (room <= ellipsis) return '';
  let kept = '';
  for (const part of graphemes(text).reverse()) {
    if (columns(part + kept) > room - ellipsis) break;
    kept = part + kept;
  }
  return `…${kept}`;
}
