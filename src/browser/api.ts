/** What a page gives to `send` and `receive`. */
import type { Transfer, TransferOptions } from '../session/api.ts';
import type { Kept } from './files/kept.ts';

export type { Item } from './files/items.ts';

export interface BrowserOptions extends TransferOptions {
  /** The server to meet at: its origin, as a rule `location.origin`. */
  server: string;
}

/** Where bytes go: into this browser's storage, to be saved when all is there, or straight into a download. */
export type Store = 'kept' | 'stream';

export interface Reception extends Transfer {
  /** What has arrived, once it is verified; undefined for a text or a stream. Never rejects. */
  readonly kept: Promise<Kept | undefined>;
}
