/**
 * The second half of a double click falls on whatever has come in the place of what was clicked: the next of a list, which
 * has moved up, or another screen's button. Nobody means it.
 */
import { useEffect } from 'preact/hooks';

/** Pixels between two clicks of a double click, on a phone too. */
const NEAR = 24;

export function useSingleClicks(): void {
  useEffect(() => {
    let last = { x: 0, y: 0 };
    const check = (event: MouseEvent) => {
      const { clientX: x, clientY: y, detail, target } = event;
      // Some browsers count clicks on two places together.
      const again = detail > 1 && Math.hypot(x - last.x, y - last.y) < NEAR;
      last = { x, y };
      if (!again || !(target instanceof Element) || !target.closest('button')) return;
      event.preventDefault();
      event.stopPropagation();
    };
    addEventListener('click', check, { capture: true });
    return () => removeEventListener('click', check, { capture: true });
  }, []);
}
