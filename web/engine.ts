/**
 * What the page can do without being seen: cryptography, sessions, connections, storage, the words of codes; and the screens that
 * show it. The first picture needs none of it, so it comes behind that, and before anybody has pressed a button. Nothing else may
 * import it.
 */
import type * as browser from '../src/browser/index.ts';
import { workers } from './trusted.ts';
import { say } from './words/index.ts';

export type PageEngine = typeof browser;
type Screens = typeof import('./screens/later.ts');

/** Milliseconds within which the loading begins, however busy the page is. */
const SOON = 200;
const GESTURES = ['pointerdown', 'keydown', 'dragenter', 'paste'] as const;

let here: PageEngine | undefined;
let drawn: Screens | undefined;
let coming: Promise<PageEngine> | undefined;
let tell: (engine: PageEngine) => void;

/** Resolves once it is here, at whatever try. */
export const arrived = new Promise<PageEngine>((resolve) => {
  tell = resolve;
});

/** Rejects where it cannot be fetched; the next call tries again. */
export function engine(): Promise<PageEngine> {
  coming ??= Promise.all([import('../src/browser/index.ts'), import('./screens/later.ts')]).then(
    ([loaded, screens]) => {
      loaded.useWorkers(workers);
      drawn = screens;
      here = loaded;
      tell(loaded);
      return loaded;
    },
    (cause) => {
      coming = undefined;
      throw new Error(say('fault.part'), { cause });
    },
  );
  return coming;
}

/** Undefined until the engine is here. */
export const screens = (): Screens | undefined => drawn;

/** At once if it is here already: some of what a browser allows, it allows within a person's click alone. */
export function withEngine(use: (engine: PageEngine) => void, fail: (thrown: unknown) => void): void {
  if (here) return use(here);
  engine().then(use, fail);
}

/** Begins to load it once the first picture stands, or at the first sign that somebody is about to do something. */
export function loadSoon(): void {
  const load = () => void engine().catch(() => {});
  for (const gesture of GESTURES)
    addEventListener(gesture, load, { once: true, capture: true, passive: true });
  // Not in every browser that the page is for.
  if ('requestIdleCallback' in globalThis) requestIdleCallback(load, { timeout: SOON });
  else setTimeout(load, SOON);
}
