/**
 * The page's address. A code stands behind its '#', which no browser sends anywhere; while something is received it stays
 * there, so that a reloaded page can go on.
 */
import { codeIn } from './model/code.ts';

/** The code of the link that was opened, or ''. Whether it is well-formed is not looked at. */
export function code(): string {
  return location.hash.length > 1 ? codeIn(location.hash) : '';
}

/** The first name of what is received under the code, as far as this tab knows. */
export function nameUnderWay(): string | undefined {
  const { name } = (history.state ?? {}) as { name?: unknown };
  return typeof name === 'string' ? name : undefined;
}

export function keep(code: string): void {
  const same = code === codeIn(location.hash);
  history.replaceState(same ? history.state : null, '', `#${encodeURIComponent(code)}`);
}

/** Keeps that name, unless the person has opened another link meanwhile. */
export function name(under: string, first: string | undefined): void {
  if (code() === under) history.replaceState({ name: first }, '');
}

/** Forgets a code; one of a link that was opened meanwhile stays. */
export function clear(spent: string): void {
  if (code() !== spent) return;
  history.replaceState(null, '', location.pathname + location.search);
}

export function onChange(listener: () => void): void {
  addEventListener('hashchange', listener);
}

/** As if its link had been opened. */
export function open(code: string): void {
  location.hash = `#${encodeURIComponent(code)}`;
}
