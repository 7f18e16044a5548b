/**
 * What waits to be sent, in the folder of this user's state: paths and options, not copies. Each change reads the file, and replaces it
 * whole, so that several commands and a delivery at work do not undo each other.
 */
import { createHash } from 'node:crypto';
import { isAbsolute, join, resolve } from 'node:path';
import * as v from 'valibot';
import { fault } from '../../base/errors.ts';
import { count, list, only, text, tryJson } from '../../base/json.ts';
import { readPrivate, userFolder, whileLocked, writePrivate } from '../../identity/config-folder.ts';

const FILE_RULES = { max: 16 * 1024 * 1024, forbidden: 0o077 };
const MOST_ITEMS = 1000;
const MOST_PATHS = 1000;
const PATH = v.pipe(
  text(4096),
  v.check((path) => isAbsolute(path)),
);
const NUMBER = count(Number.MAX_SAFE_INTEGER);

/** What `send` takes, as far as it is kept. */
const OPTIONS = only({
  configDir: v.optional(PATH),
  server: v.optional(text(2048)),
  lan: v.optional(v.boolean()),
  relay: v.optional(v.picklist(['auto', 'never', 'only'])),
  portMap: v.optional(v.boolean()),
  quic: v.optional(v.boolean()),
  lanes: v.optional(count(64, 1)),
  limit: v.optional(v.pipe(NUMBER, v.minValue(1))),
  links: v.optional(v.picklist(['keep', 'follow', 'skip'])),
  onUnreadable: v.optional(v.picklist(['fail', 'skip'])),
  exclude: v.optional(v.array(v.string())),
  include: v.optional(v.array(v.string())),
  gitignore: v.optional(v.boolean()),
  update: v.optional(v.boolean()),
  sha256: v.optional(v.boolean()),
  receipt: v.optional(v.union([v.boolean(), text(4096)])),
  /** It goes by a proxy only. Which one is not kept: it may have a password in it. */
  proxied: v.optional(v.boolean()),
});

const ITEM = only({
  id: count(2 ** 31, 1),
  /** As it was called then, for people, and its key. */
  device: text(64),
  key: text(128),
  paths: v.pipe(list(PATH, MOST_PATHS), v.minLength(1)),
  options: OPTIONS,
  /** Milliseconds since 1970. */
  since: NUMBER,
  /** Of all that is to be sent, if that was known then. */
  bytes: v.optional(NUMBER),
  /** The last try that came to nothing: when, and why. */
  tried: v.optional(NUMBER),
  why: v.optional(text(1000)),
  /** It is not tried any more. */
  failed: v.optional(v.boolean()),
});

const FILE = only({
  version: v.literal(1),
  next: count(2 ** 31, 1),
  items: list(ITEM, MOST_ITEMS),
});

export type OutboxItem = v.InferOutput<typeof ITEM>;
export type OutboxOptions = v.InferOutput<typeof OPTIONS>;
type Content = v.InferOutput<typeof FILE>;

export class OutboxStore {
  readonly folder: string;

  constructor(folder: string = join(userFolder('STATE'), 'outbox')) {
    this.folder = resolve(folder);
  }

  get path(): string {
    return join(this.folder, 'outbox.json');
  }

  /** In the order in which they came. @throws BeelineError DAMAGED, USAGE, UNREADABLE */
  async items(): Promise<OutboxItem[]> {
    return (await this.#read()).items;
  }

  /** @throws BeelineError USAGE if there is no room; WRITE_FAILED, TIMEOUT, DAMAGED */
  async add(item: Omit<OutboxItem, 'id'>): Promise<OutboxItem> {
    if (item.paths.length > MOST_PATHS) throw fault('OUTBOX_TOO_MANY_PATHS', { most: MOST_PATHS });
    let added: OutboxItem | undefined;
    await this.#change((content) => {
      if (content.items.length >= MOST_ITEMS) throw fault('OUTBOX_FULL', { most: MOST_ITEMS });
      added = { id: content.next, ...item };
      return { ...content, next: content.next + 1, items: [...content.items, added] };
    });
    return added!;
  }

  /** @param ids absent: all. @returns those that were there @throws BeelineError USAGE if one of them is not, and then none goes */
  async remove(ids?: readonly number[]): Promise<OutboxItem[]> {
    let removed: OutboxItem[] = [];
    await this.#change((content) => {
      const missing = ids?.find((id) => !content.items.some((item) => item.id === id));
      if (missing !== undefined) throw fault('OUTBOX_NO_ITEM', { id: missing });
      removed = content.items.filter(({ id }) => !ids || ids.includes(id));
      return { ...content, items: content.items.filter((item) => !removed.includes(item)) };
    });
    return removed;
  }

  /** Notes how a try went. Nothing, if the item was cancelled meanwhile. @param why undefined: it has been sent */
  async tried(id: number, now: number, why: string | undefined, failed: boolean): Promise<void> {
    await this.#change((content) => ({
      ...content,
      items: content.items.flatMap((item) => {
        if (item.id !== id) return [item];
        if (why === undefined) return [];
        return [{ ...item, tried: now, why: why.slice(0, 1000), ...(failed && { failed }) }];
      }),
    }));
  }

  /** The failed ones are tried again. */
  async retry(): Promise<void> {
    await this.#change((content) => ({
      ...content,
      items: content.items.map(({ failed: _, ...item }) => item),
    }));
  }

  /** Where the lock of something about this device and one other is. */
  deviceFolder(kind: 'hosting' | 'first', key: string): string {
    return join(this.folder, kind, createHash('sha256').update(key).digest('hex').slice(0, 16));
  }

  async #read(): Promise<Content> {
    const json = await readPrivate(this.path, FILE_RULES);
    if (json === undefined) return { version: 1, next: 1, items: [] };
    const content = tryJson(FILE, json);
    if (!content) throw fault('OUTBOX_DAMAGED', { path: this.path });
    return content;
  }

  async #change(edit: (content: Content) => Content): Promise<void> {
    await whileLocked(this.folder, async () => {
      await writePrivate(this.path, `${JSON.stringify(edit(await this.#read()))}\n`);
    });
  }
}
