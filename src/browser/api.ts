/** The options of `send` and `receive` in a page. */
import type { Transfer, TransferOptions } from '../session/api.ts';
import type { Kept } from './files/kept.ts';
import type { OwnPair } from './people/keys.ts';

export type { Item } from './files/items.ts';

export interface BrowserOptions extends TransferOptions {
  /** The origin of the server where both sides meet, usually `location.origin`. */
  server: string;
  /** The `id` of a trusted device, instead of a code. */
  device?: string;
  /**
   * By which the other side may remember this one, where both come with a code and are two; undefined, as `newPair` gives it in a browser
   * that has no such keys: it may not.
   */
  pair?: Promise<OwnPair | undefined>;
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
