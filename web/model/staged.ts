/** What was chosen to be sent, as a list for a person: what stands at the top, and all that is below it. Pure. */
import type { Item } from '../../src/browser/light.ts';
import { distinct } from './names.ts';

export interface Top {
  name: string;
  folder: boolean;
  files: number;
  bytes: number;
  /** Of a single file. */
  file?: File;
}

/** In the order in which they were chosen. */
export function tops(items: readonly Item[]): Top[] {
  const found = new Map<string, Top>();
  for (const { path, file } of items) {
    const [name] = path.split('/', 1) as [string];
    let top = found.get(name);
    if (!top) {
      top = { name, folder: path !== name || !file, files: 0, bytes: 0 };
      if (!top.folder && file) top.file = file;
      found.set(name, top);
    }
    if (!file) continue;
    top.files++;
    top.bytes += file.size;
  }
  return [...found.values()];
}

/** A text behind one that is there already: what was typed is not lost by it. */
export const appended = (text: string, more: string): string => (text === '' ? more : `${text}\n${more}`);

export function without(items: readonly Item[], name: string): Item[] {
  return items.filter(({ path }) => path !== name && !path.startsWith(`${name}/`));
}

const same = (a: File | undefined, b: File | undefined): boolean =>
  a === b || (a?.size === b?.size && a?.lastModified === b?.lastModified && a?.name === b?.name);

/** The same file chosen twice is there once; two different ones of one name get different names. */
export function joined(items: readonly Item[], more: readonly Item[]): Item[] {
  const all = [...items];
  const known = new Map(items.map((item) => [item.path, item]));
  for (const item of more) {
    const there = known.get(item.path);
    if (there && same(there.file, item.file)) continue;
    known.set(item.path, item);
    all.push(item);
  }
  const single = all.filter(({ path }) => !path.includes('/'));
  const names = distinct(single.map(({ path }) => path));
  const renamed = new Map(single.map((item, at) => [item, names[at]!]));
  const named = all.map((item) => ({ ...item, path: renamed.get(item) ?? item.path }));
  // Of two folders of one name the files that were chosen last.
  return [...new Map(named.map((item) => [item.path, item])).values()];
}
