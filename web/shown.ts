/** What the page shows at the moment, and who wants to know when that changes. */
import { BeelineError, escapeName } from '../src/browser/light.ts';
import { errorHeading } from './model/advice.ts';
import type { Transferring, View, ViewNote } from './model/view.ts';
import { language, say } from './words/index.ts';

/** Milliseconds. */
const DRAWN_AFTER = 200;

export class Shown {
  #view: View;
  readonly #listeners = new Set<() => void>();
  #soon: ReturnType<typeof setTimeout> | undefined;
  #drawn = 0;

  constructor(view: View) {
    this.#view = view;
  }

  get view(): View {
    return this.#view;
  }

  /** @returns the way to stop */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  show(view: View): void {
    this.#view = view;
    this.#tell();
  }

  /** Something beside the view has changed that is drawn with it. */
  changed(): void {
    this.#drawn++;
    this.#tell();
  }

  /** Counts what `changed` said. */
  get drawn(): number {
    return this.#drawn;
  }

  #tell(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    for (const listener of this.#listeners) listener();
  }

  /** Changes what is shown of a transfer, if one is shown. */
  patch(change: Partial<Transferring>): void {
    const view = this.#view;
    if (view.at === 'transfer') this.show({ ...view, ...change });
    // It is shown again when what arrived is saved.
    else if (view.at === 'saving' && view.before.at === 'transfer')
      this.show({ ...view, before: { ...view.before, ...change } });
  }

  /** The same, drawn a moment later: each of many receivers moves ten times a second. */
  patchSoon(change: Partial<Transferring>): void {
    if (this.#view.at !== 'transfer') return;
    this.#view = { ...this.#view, ...change };
    this.#soon ??= setTimeout(() => this.#tell(), DRAWN_AFTER);
  }

  /** Says what became of something, at home, at what was chosen, or at the transfer. */
  note(note: ViewNote, change: Partial<Transferring> = {}): void {
    const view = this.#view;
    if (view.at === 'home' || view.at === 'staging') this.show({ ...view, note });
    else if (view.at === 'saving' && view.before.at === 'home')
      this.show({ ...view, before: { ...view.before, note } });
    else this.patch({ note, ...change });
  }

  fault(thrown: unknown): void {
    this.note(faultNote(thrown));
  }
}

/** Of an error of the engine the page knows what kind it is, in its own language, and the rest is English. */
export function faultNote(thrown: unknown): ViewNote {
  const text = escapeName(messageOf(thrown));
  if (language() === 'en' || !(thrown instanceof BeelineError)) return { kind: 'error', text };
  return {
    kind: 'error',
    text: say('full', { text: errorHeading(thrown, 'receive') }),
    english: text,
  };
}

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
