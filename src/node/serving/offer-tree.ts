/**
 * An offer as what is served over HTTP: the files and folders that the sender's walk has found, read through its Source. A file that has
 * changed since ends the answer as broken, as it would end a transfer.
 */
import type { ServedFile, ServedNode, ServedTree } from '../../http/serving/tree.ts';
import type { Entry } from '../../offer/manifest.ts';
import { parentOf } from '../../offer/names.ts';
import type { Source } from '../../sync/ports.ts';

interface Item {
  readonly node: ServedNode;
  /** Of a file: its number in the offer. */
  readonly entry: number;
  /** Of a folder, in the order of their names. */
  readonly children: Item[];
}

export class OfferTree implements ServedTree {
  readonly #source: Source;
  readonly #items = new Map<string, Item>();
  readonly #root: Item;

  /** @param source of files, of which any part can be read at any time. Links in it are not served. */
  constructor(source: Source) {
    this.#source = source;
    this.#root = { node: nodeOf(undefined), entry: -1, children: [] };
    this.#items.set('', this.#root);
    for (const [index, entry] of source.entries.entries()) {
      if (entry.kind === 'link') continue;
      const { path } = entry;
      const item: Item = { node: nodeOf(entry), entry: index, children: [] };
      this.#items.set(path, item);
      // A folder comes before what is in it.
      this.#items.get(parentOf(path))?.children.push(item);
    }
    for (const { children } of this.#items.values())
      children.sort((a, b) => (a.node.name < b.node.name ? -1 : 1));
  }

  /** Where the offer is: a single file or folder has an address of its own. */
  get top(): ServedNode {
    const [only, another] = this.#root.children;
    return only && !another ? only.node : this.#root.node;
  }

  /** Above all that is offered. */
  get root(): ServedNode {
    return this.#root.node;
  }

  async look(path: readonly string[]): Promise<ServedNode | undefined> {
    return this.#items.get(path.join('/'))?.node;
  }

  async list(folder: ServedNode, most: number): Promise<{ nodes: ServedNode[]; more: boolean }> {
    const { children } = this.#items.get(folder.path.join('/'))!;
    return { nodes: children.slice(0, most).map(({ node }) => node), more: children.length > most };
  }

  async *walk(folder: ServedNode): AsyncGenerator<ServedNode> {
    const stack = [...this.#items.get(folder.path.join('/'))!.children].reverse();
    for (let item = stack.pop(); item; item = stack.pop()) {
      yield item.node;
      for (let at = item.children.length - 1; at >= 0; at--) stack.push(item.children[at]!);
    }
  }

  async open(file: ServedNode): Promise<ServedFile> {
    const { entry } = this.#items.get(file.path.join('/'))!;
    return {
      read: async (into, at) => {
        const length = Math.min(into.length, file.size - at);
        if (length <= 0) return 0;
        // Files are read by their pieces alone, whatever chunk they are said to be of.
        return this.#source.read(0, [{ entry, offset: at, length, at: 0 }], into);
      },
      close: async () => {},
    };
  }
}

/** @param entry undefined: the root, above all that is offered */
function nodeOf(entry: Entry | undefined): ServedNode {
  if (!entry) return { path: [], name: 'files', kind: 'folder', size: 0, mtime: 0, tag: '' };
  const { path, kind, size, mtime, version } = entry;
  const parts = path.split('/');
  return {
    ...{ path: parts, name: parts.at(-1)!, kind: kind === 'folder' ? kind : 'file' },
    ...{ size, mtime: Math.floor(mtime / 1000) },
    tag: version || `${size.toString(36)}x${Math.abs(mtime).toString(36)}`,
  };
}
