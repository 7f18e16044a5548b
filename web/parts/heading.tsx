import type { ComponentChildren, JSX } from 'preact';

/** The heading of a screen. It can have the focus, but is no stop of the tab key. */
export function Heading({ children }: { children: ComponentChildren }): JSX.Element {
  return <h1 tabIndex={-1}>{children}</h1>;
}
