/** Paths of requests, as names from the root. Pure. */
import { wellFormed } from './listing.ts';

export interface RequestPath {
  names: string[];
  /** It ends with a slash. */
  folder: boolean;
}

/** @param text begins with a slash; percent-encoded. Undefined: it names nothing, or leads elsewhere */
export function readPath(text: string): RequestPath | undefined {
  const parts = text.slice(1).split('/');
  const folder = parts.at(-1) === '';
  if (folder) parts.pop();
  const names: string[] = [];
  for (const part of parts) {
    const name = decoded(part);
    if (name === undefined || !isName(name)) return undefined;
    names.push(name);
  }
  return { names, folder };
}

/** Decoded once: what is still encoded then is a name that looks so. */
function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

/** One name in one folder, whatever the system: a backslash or a colon is part of a name only where it separates nothing. */
function isName(name: string): boolean {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) return false;
  return process.platform !== 'win32' || !/[\\:]/.test(name);
}

/** With a slash before each name; empty for the root. */
export function pathText(names: readonly string[]): string {
  return names.map((name) => `/${encodeURIComponent(wellFormed(name))}`).join('');
}
