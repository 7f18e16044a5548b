/**
 * What is served over HTTP, as the answers need it: files and folders by their names. Whoever has them, a disk or an offer, implements
 * this. Nothing here follows a link or leads out of what is served.
 */

export interface ServedNode {
  /** The names that lead to it from the root; none for the root. */
  readonly path: readonly string[];
  /** The last of them; the root's own name, which an archive of it gets. */
  readonly name: string;
  readonly kind: 'file' | 'folder';
  /** Bytes of a file; 0 for a folder. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly mtime: number;
  /** Another one for each other content: letters and digits, which may be told to anybody. Of a file only. */
  readonly tag: string;
  /** SHA-256 of its bytes, if it is known. */
  readonly sha256?: Uint8Array | undefined;
}

export interface ServedFile {
  /**
   * Fills `into` from the byte `at` of the file; resolves with fewer bytes only at its end.
   * @throws if the file cannot be read, or is not what it was when it was looked at
   */
  read(into: Uint8Array, at: number): Promise<number>;
  /** The file itself, where the system may send it by itself. Nobody reads it by its own position. */
  readonly descriptor?: number;
  /** Each use of it has ended. */
  close(): Promise<void>;
}

export interface ServedTree {
  /** Undefined: there is no such thing, or it is not for others. @throws Node's error codes */
  look(path: readonly string[]): Promise<ServedNode | undefined>;
  /** What is in a folder, by name, and whether there is more than `most`. @throws Node's error codes */
  list(folder: ServedNode, most: number): Promise<{ nodes: ServedNode[]; more: boolean }>;
  /** Everything below a folder, each folder before what is in it. @throws what cannot be listed ends it */
  walk(folder: ServedNode): AsyncIterable<ServedNode>;
  /** @throws if it is another file by now */
  open(file: ServedNode): Promise<ServedFile>;
}
