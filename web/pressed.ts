import { useEffect, useRef, useState } from 'preact/hooks';
import { type PageEngine, withEngine } from './engine.ts';
import { Press } from './model/press.ts';

/** What is pressed in a form, and waits for the engine for as long as the form stands. */
export function usePress(): { press: Press<PageEngine>; busy: boolean } {
  const [busy, setBusy] = useState(false);
  const press = useRef<Press<PageEngine> | undefined>(undefined);
  press.current ??= new Press(withEngine, setBusy);
  useEffect(() => () => press.current?.forget(), []);
  return { press: press.current, busy };
}
