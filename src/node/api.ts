/** What a program on Node gives to `send` and `receive`. What it gets back comes from the session, and is the same in a page. */

import type { OfferSummary, TransferOptions } from '../session/api.ts';
import type { Sink, Source } from '../sync/ports.ts';
import type { NodeTransport } from '../transports/surroundings.ts';

export type {
  Logger,
  OfferSummary,
  Result,
  State,
  Transfer,
  TransferEvent,
  TransferOptions,
} from '../session/api.ts';

/** `update` skips files of equal size and time. It replaces the others, and moves only the chunks that differ. */
export type Overwrite = 'ask' | 'skip' | 'rename' | 'replace' | 'update';

export interface CommonOptions extends TransferOptions {
  /** A standing `beeline server`: ws://, wss://, http:// or https:// URL. */
  server?: string;
  /** Host and port of the sender's own rendezvous (receiver), or the address to listen on (sender). */
  at?: string;
  /** The whole code, `7-crossover-clockwork`. The sender may choose it. The receiver needs it, or `psk`, or `device`. */
  code?: string;
  /** A pre-shared key, at least 16 bytes, instead of a code. */
  psk?: Uint8Array;
  /** A trusted device's name (see `beeline trust`), instead of a code. */
  device?: string;
  /** The folder of this device's key and of the trusted devices; default `$XDG_CONFIG_HOME/beeline` or `~/.config/beeline`. */
  configDir?: string;
  /** Local port for lanes (and for the sender's own rendezvous); 0 or absent: any. */
  port?: number;
  /** False: neither announce nor look on the local network by mDNS. */
  lan?: boolean;
  /** False: the router is not asked to map a port (UPnP, NAT-PMP, PCP). It is asked only with a `server`. */
  portMap?: boolean;
  /**
   * The ways to open lanes, best first, instead of all that Beeline has: `[mine, ...NODE_TRANSPORTS]` adds one of your own. Both
   * sides must have it. See `beeline/transports`.
   */
  transports?: readonly NodeTransport[];
  /**
   * Writes a receipt at the end, which `verify` can check a folder against. True: into the receipts folder
   * (`$XDG_STATE_HOME/beeline/receipts`); a string: to that path; absent: none. Both sides write the same receipt.
   */
  receipt?: boolean | string;
}

export interface SendOptions extends CommonOptions {
  /** If a source cannot be read, 'fail' (default) ends before anything moves; 'skip' names it and sends the rest. */
  onUnreadable?: 'fail' | 'skip';
  /**
   * Links inside folders: 'keep' (default) sends them as links, 'follow' sends what they point to, 'skip' leaves them out. If a
   * path that you name is a link, it is always followed.
   */
  links?: 'keep' | 'follow' | 'skip';
  /** Tells the receiver that this refreshes what was sent before. If the receiver agrees, only what changed moves. */
  update?: boolean;
  /**
   * Also serves the page from this process, for browsers on the local network, over TLS on the port after `port`. The `web`
   * event says where. It needs a code, and no `server`.
   */
  web?: boolean;
  /** For `-`: the file name that the receiver sees; default `stdin`. */
  stdinName?: string;
  /** Instead of `process.stdin` for the path `-`. */
  stdin?: AsyncIterable<Uint8Array>;
}

export interface ReceiveOptions extends CommonOptions {
  /** Destination folder, default '.'; '-' for a stream or single file to `stdout`. */
  to?: string;
  /** Instead of `process.stdout` for `to: '-'`. It is ended before `done` resolves, and destroyed after a failure. */
  stdout?: NodeJS.WritableStream;
  /**
   * Instead of `to`: makes the store that what is accepted goes into (`beeline/stores`). The offer's names are the sender's word; they
   * have been checked to stay inside of what is received.
   */
  store?: (offer: OfferSummary) => Sink | Promise<Sink>;
  overwrite?: Overwrite;
  /**
   * Links: 'safe' (default) writes those that stay inside what is received, and names the others in warnings; 'all' writes those
   * too, wherever they lead; 'skip' writes none.
   */
  links?: 'safe' | 'all' | 'skip';
  /** For `overwrite: 'ask'`: called once for each file that exists, before any byte moves. Absent: the receiver ends as EXISTS. */
  onConflict?: (path: string) => Promise<Exclude<Overwrite, 'ask'>>;
  /**
   * Decides about the offer, before any byte moves. 'all' accepts every offer from anybody who has the code. A function is called
   * with the offer: if it returns true, the offer is accepted; otherwise both sides end as REFUSED.
   */
  accept: 'all' | ((offer: OfferSummary) => boolean | Promise<boolean>);
}

/** What `send` takes: paths, one text, or a store of your own (`beeline/stores`). */
export type What = readonly string[] | { text: string } | { store: Source };
