/**
 * SHA-256 of served files for `Repr-Digest` (RFC 9530): what is not known is computed once somebody wants it, one file at a time, and said from
 * then on. A file with another tag is another one.
 */
import { createHash } from 'node:crypto';
import { forgetOldest } from '../../base/oldest.ts';
import type { ServedNode, ServedTree } from './tree.ts';

/** Digests that are remembered, and files that wait; the longest unused is forgotten first. */
const REMEMBERED = 10_000;
const MOST_WAITING = 100;
const BUFFER = 1024 * 1024;

export class FileDigests {
  readonly #tree: ServedTree;
  readonly #known = new Map<string, Uint8Array>();
  readonly #waiting = new Map<string, ServedNode>();
  #works = false;
  #closed = false;

  constructor(tree: ServedTree) {
    this.#tree = tree;
  }

  /** The value of a `Repr-Digest` header; undefined: not known yet. @param want somebody asks for it */
  header(file: ServedNode, want: boolean): string | undefined {
    const key = keyOf(file);
    const known = file.sha256 ?? this.#known.get(key);
    if (known) return `sha-256=:${Buffer.from(known).toString('base64')}:`;
    if (want && !this.#waiting.has(key) && this.#waiting.size < MOST_WAITING) {
      this.#waiting.set(key, file);
      if (!this.#works) void this.#work();
    }
    return undefined;
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
  }

  async #work(): Promise<void> {
    this.#works = true;
    for (let next = first(this.#waiting); next && !this.#closed; next = first(this.#waiting)) {
      const [key, file] = next;
      const digest = await this.#compute(file).catch(() => undefined);
      this.#waiting.delete(key);
      if (!digest) continue;
      this.#known.set(key, digest);
      forgetOldest(this.#known, REMEMBERED);
    }
    this.#works = false;
  }

  /** Undefined: what serves it is being ended. */
  async #compute(node: ServedNode): Promise<Uint8Array | undefined> {
    const file = await this.#tree.open(node);
    try {
      const hash = createHash('sha256');
      const buffer = Buffer.allocUnsafeSlow(BUFFER);
      for (let at = 0; at < node.size; ) {
        if (this.#closed) return undefined;
        const got = await file.read(buffer.subarray(0, Math.min(BUFFER, node.size - at)), at);
        if (got === 0) return undefined;
        hash.update(buffer.subarray(0, got));
        at += got;
      }
      return hash.digest();
    } finally {
      await file.close();
    }
  }
}

/** Two files of one tag would be one file, but a path costs nothing. */
const keyOf = ({ tag, path }: ServedNode): string => `${tag}/${path.join('/')}`;

function first<T>(map: ReadonlyMap<string, T>): [string, T] | undefined {
  const { value, done } = map.entries().next();
  return done ? undefined : value;
}

/** Whether `Want-Repr-Digest` asks for SHA-256: a dictionary of algorithms and weights, where 0 means not (RFC 9530, 4). */
export function wantsSha256(header: string | undefined): boolean {
  return /(?:^|,)[\t ]*sha-256[\t ]*(?:=[\t ]*(?:[1-9]\d*))[\t ]*(?:$|[,;])/i.test(header ?? '');
}
