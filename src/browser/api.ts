/** The options of `send` and `receive` in a page. */
import type { Transfer, TransferOptions } from '../session/api.ts';
import type { Kept } from './files/kept.ts';

export type { Item } from './files/items.ts';

export interface BrowserOptions extends TransferOptions {
  /** The origin of the server where both sides meet, usually `location.origin`. */
  server: string;
}

/**
 * Where bytes go. 'kept': into this browser's storage, to be saved when everything has arrived. 'stream': straight into a download. Or
 * straight into a folder that the person picked.
 */
export type ReceiveInto = 'kept' | 'stream' | FileSystemDirectoryHandle;

export interface Reception extends Transfer {
  /** What has arrived, once it is verified; undefined for a text, a stream or a folder. Never rejects. */
  readonly kept: Promise<Kept | undefined>;
}
