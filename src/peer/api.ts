/** What a program on Node gives to `send` and `receive`; what it gets back is the session's, the same everywhere. */
import type { NodeTransport } from '../lanes/surroundings.ts';
import type { OfferSummary, TransferOptions } from '../session/api.ts';

export type {
  Logger,
  OfferSummary,
  Result,
  State,
  Transfer,
  TransferEvent,
  TransferOptions,
} from '../session/api.ts';

/** `update`: files of equal size and time are skipped, others replaced, moving only the chunks that differ. */
export type Overwrite = 'ask' | 'skip' | 'rename' | 'replace' | 'update';

export interface CommonOptions extends TransferOptions {
  /** A standing `beeline server`: ws://, wss://, http:// or https:// URL. */
  server?: string;
  /** Host and port of the sender's own rendezvous (receiver), or the address to listen on (sender). */
  at?: string;
  /** The whole code, `7-crossover-clockwork`. The sender may choose it; the receiver must have it (or psk, or device). */
  code?: string;
  /** A pre-shared key, at least 16 bytes, instead of a code. */
  psk?: Uint8Array;
  /** A known device's name (see `beeline trust`), instead of a code. */
  device?: string;
  /** Where known devices and this device's key are kept; default `$XDG_CONFIG_HOME/beeline` or `~/.config/beeline`. */
  configDir?: string;
  /** Local port for lanes (and for the sender's own rendezvous); 0 or absent: any. */
  port?: number;
  /** False: neither announce nor look on the local network by mDNS. */
  lan?: boolean;
  /** False: the router is not asked to map a port (UPnP, NAT-PMP, PCP). It is asked only with a `server`. */
  portMap?: boolean;
  /**
   * The ways to open lanes, best first; default: all that Beeline has (`NODE_TRANSPORTS`). One of a program's own has to be in
   * both sides' lists.
   */
  transports?: readonly NodeTransport[];
  /**
   * At the end, a record that is the same on both sides: true for the receipts folder (`$XDG_STATE_HOME/beeline/receipts`),
   * or a path. Absent: none. `verify` checks a tree against it.
   */
  receipt?: boolean | string;
}

export interface SendOptions extends CommonOptions {
  /** An unreadable source: 'fail' (default) stops before anything moves, 'skip' names it and sends the rest. */
  onUnreadable?: 'fail' | 'skip';
  /**
   * Links inside folders: 'keep' (default) sends them as links, 'follow' what they point to, 'skip' none. A link that is itself
   * named is always followed.
   */
  links?: 'keep' | 'follow' | 'skip';
  /** Tells the receiver that this refreshes what was sent before; it moves only what changed if it agrees. */
  update?: boolean;
  /**
   * Also serves the page from this process, for browsers on the local network, over TLS on the port after `port`: the `web`
   * event says where. Needs a code, and no `server`.
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
  overwrite?: Overwrite;
  /**
   * Links: 'safe' (default) writes those that stay inside what is received, and names the others in warnings; 'all' writes those
   * too, wherever they lead; 'skip' writes none.
   */
  links?: 'safe' | 'all' | 'skip';
  /** For `overwrite: 'ask'`: called once per existing file, before any byte moves. Absent: EXISTS. */
  onConflict?: (path: string) => Promise<Exclude<Overwrite, 'ask'>>;
  /**
   * Who decides about the offer, before any byte moves. 'all' accepts whatever comes, from whoever has the code. A function is asked:
   * true accepts, anything else ends both sides as REFUSED.
   */
  accept: 'all' | ((offer: OfferSummary) => boolean | Promise<boolean>);
}

/** What `send` takes: paths, or one text. */
export type What = readonly string[] | { text: string };
