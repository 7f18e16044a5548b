/** The options of `send` and `receive` on Node. Their events and results are in `session/api.ts`, and are the same in a page. */

import type { OfferSummary, TransferOptions } from '../session/api.ts';
import type { Sink, Source } from '../sync/ports.ts';
import type { NodeTransport } from '../transports/surroundings.ts';
import type { Overwrite } from './files/conflicts.ts';
import type { SendItem } from './items.ts';

export type {
  Logger,
  OfferSummary,
  ReceiverResult,
  Result,
  State,
  Transfer,
  TransferEvent,
  TransferOptions,
} from '../session/api.ts';

export type { Overwrite } from './files/conflicts.ts';
export type { SendItem } from './items.ts';

export interface CommonOptions extends TransferOptions {
  /** The URL of a `beeline server` where both sides meet: ws://, wss://, http:// or https://. */
  server?: string;
  /** HOST:PORT. At the sender: the address to listen on. At the receiver: the address of the sender's own rendezvous. */
  at?: string;
  /** The whole code, `7-velvet-canyon`. The sender may choose it. The receiver needs it, or `psk`, or `device`. */
  code?: string;
  /** A pre-shared key, at least 16 bytes, instead of a code. */
  psk?: Uint8Array;
  /** The folder with this device's key and the trusted devices; default `$XDG_CONFIG_HOME/beeline` or `~/.config/beeline`. */
  configDir?: string;
  /** Local port for lanes (and for the sender's own rendezvous); 0 or absent: any. */
  port?: number;
  /**
   * Threads for TCP lanes and hashing, beside the main one, 0 to 16. Default: none on fewer than four cores or for
   * less than 64 MiB, else at most four. There are
   * none for a text, a stream, or a store of your own.
   */
  threads?: number;
  /** False: neither announce nor look on the local network by mDNS. */
  lan?: boolean;
  /**
   * True: the two sides may meet over HyperDHT, by nodes that anybody runs, where neither `server` nor `at` is given; `bootstrap` names
   * nodes of another DHT than the public one, as `HOST:PORT`. Those nodes see this side's IP address and port, and a hash of the
   * nameplate. It needs the optional package `hyperdht`, and UDP over IPv4. Default: false; the command says true.
   */
  dht?: boolean | { bootstrap: readonly string[] };
  /** False: the router is not asked to map a port (UPnP, NAT-PMP, PCP). It is asked only with a `server`, or when the two have met over the DHT. */
  portMap?: boolean;
  /**
   * True: QUIC in place of UDX, wherever one side can be dialled over UDP. It carries more where no packets are lost, and far less where they
   * are. Both sides must say so, and need the optional package `@chainsafe/libp2p-quic-...` of their platform.
   */
  quic?: boolean;
  /**
   * The transports to use, best first. Default: all that Beeline has. `[mine, ...NODE_TRANSPORTS]` adds one of your own. Both sides
   * must have it. See `@beeline-transfer/beeline/transports`.
   */
  transports?: readonly NodeTransport[];
  /**
   * Writes a receipt at the end. `verify` can check a folder against it. True: into the receipts folder
   * (`$XDG_STATE_HOME/beeline/receipts`); a string: to that path; absent: none. Both sides write the same receipt.
   */
  receipt?: boolean | string;
}

export interface SendOptions extends CommonOptions {
  /**
   * How many receive it, or 'any' number; default 1, or as many as there are devices. All come with one code (or `psk`), each with a
   * session of its own. The code has three words then. With 'any' it ends by `until`, `signal` or
   * `cancel`, and resolves if somebody has everything and nobody was receiving then.
   */
  receivers?: number | 'any';
  /** Seconds after which nobody new is let in. Who is under way goes on. */
  until?: number;
  /** False: the receivers do not learn of each other, and all fetch from here alone. */
  swarm?: boolean;
  /** The name of a trusted device (see `beeline trust`), or of several, instead of a code. */
  device?: string | readonly string[];
  /**
   * The name under which the other side is a trusted device here once everything has arrived, if it shows its key: it has to be given
   * this option too, or be a page. It is shown this device's key. For one other side, that comes with a code.
   */
  trust?: string;
  /** If a source cannot be read, 'fail' (default) ends before anything moves; 'skip' names it and sends the rest. */
  onUnreadable?: 'fail' | 'skip';
  /**
   * Links inside folders: 'keep' (default) sends them as links, 'follow' sends what they point to, 'skip' leaves them out. If a
   * path that you name is a link, it is always followed.
   */
  links?: 'keep' | 'follow' | 'skip';
  /** What is left out: patterns as in a .gitignore, from each folder that you name. */
  exclude?: readonly string[];
  /** Only files that match one of these patterns, or that stand in a folder that does. */
  include?: readonly string[];
  /** True: what .gitignore files leave out is left out, and `.git`. */
  gitignore?: boolean;
  /** Tells the receiver that this refreshes what was sent before. If the receiver agrees, only what changed moves. */
  update?: boolean;
  /**
   * Also serves the page from this process, for browsers on the local network, over TLS on the port after `port`. The `web`
   * event says where. It needs a code, and no `server`.
   */
  web?: boolean;
  /**
   * Also serves the files by plain HTTP under a secret link, for who has nothing installed, on the port after those of lanes and page. The
   * `http` event says where. Whoever has had all of them by that counts as a receiver. Paths only, and no stream.
   */
  http?: boolean;
  /**
   * Paths as one ZIP, which is made while it is read: a stream, that begins anew if either side was ended. It leaves links out, unless
   * `links` is 'follow'.
   */
  zip?: boolean;
  /** For `-`: the file name that the receiver sees; default `stdin`. With `zip` that of the archive. */
  stdinName?: string;
  /** Instead of `process.stdin` for the path `-`. */
  stdin?: AsyncIterable<Uint8Array>;
}

export interface ReceiveOptions extends CommonOptions {
  /** The name of a trusted device (see `beeline trust`), instead of a code. */
  device?: string;
  /**
   * The name under which the other side is a trusted device here once everything has arrived, if it shows its key: it has to be given
   * this option too, or be a page. It is shown this device's key. For one other side, that comes with a code.
   */
  trust?: string;
  /**
   * False: this side is not introduced to other receivers of the offer, and neither gives them anything nor fetches from them. Otherwise
   * it is, if the sender introduces any, and they learn its addresses. With `relay: 'only'` it never is.
   */
  share?: boolean;
  /** Destination folder, default '.'; '-' for a stream or single file to `stdout`. */
  to?: string;
  /**
   * A folder below `to`, with placeholders: `{date}/{sender}`. `{date}` and `{time}` are of its arrival here, `{sender}` is the trusted device's
   * name (else `unknown`), `{name}` the first name in the offer. Each fills a part of one name, whatever it holds. `{{` is a brace. What
   * was interrupted goes on in the folder where it began.
   */
  within?: string;
  /**
   * Instead of `to`: a stream for one file, which is ended before `done` resolves and destroyed after a failure; or a Map, which gets each
   * file under its path once all is there (at most 1 GiB; a text too; no folders and no links). Neither can go on in a later run.
   */
  into?: NodeJS.WritableStream | WritableStream<Uint8Array> | Map<string, Uint8Array>;
  /** Instead of `process.stdout` for `to: '-'`. It is ended before `done` resolves, and destroyed after a failure. */
  stdout?: NodeJS.WritableStream;
  /**
   * Instead of `to`: makes the store that receives the accepted offer (`@beeline-transfer/beeline/stores`). The sender chose the names in the offer.
   * Beeline has checked that no name leads out of the received folders.
   */
  store?: (offer: OfferSummary) => Sink | Promise<Sink>;
  /** What to do with a file that exists; default 'ask'. */
  overwrite?: Overwrite;
  /**
   * Links: 'safe' (default) writes links that stay inside the received folders, and names the others in warnings. 'all' writes those
   * too, wherever they lead. 'skip' writes none.
   */
  links?: 'safe' | 'all' | 'skip';
  /** For `overwrite: 'ask'`: called once for each file that exists, before any byte moves. If it is absent, the receiver ends as EXISTS. */
  onConflict?: (path: string) => Promise<Exclude<Overwrite, 'ask'>>;
  /**
   * Decides about the offer, before any byte moves. 'all' accepts every offer from anybody who has the code. A function is called
   * with the offer: if it returns true, the offer is accepted; otherwise both sides end as REFUSED.
   */
  accept: 'all' | ((offer: OfferSummary) => boolean | Promise<boolean>);
}

/** A file at an HTTP server. */
export interface Remote {
  /** http:// or https://. A name and a password in it go to that server alone, and are neither shown nor kept. */
  url: string | URL;
  /** Where the same file is too. What comes of it comes from whichever is faster; one that fails is done without. */
  mirrors?: readonly (string | URL)[];
  /** 64 hex digits. A file that is another one does not get its name: VERIFICATION. Absent: the server's own digest, if it says one. */
  sha256?: string;
  /** Absent: as the server calls it, else by the URL. */
  name?: string;
}

/** As for `receive`, where the names are the same. There `lanes` are connections: absent, Beeline finds out how many help. */
export interface DownloadOptions
  extends Omit<TransferOptions, 'relay'>,
    Pick<ReceiveOptions, 'to' | 'within' | 'into' | 'stdout' | 'store' | 'overwrite' | 'onConflict'>,
    Pick<CommonOptions, 'receipt' | 'configDir'> {
  /**
   * A redirect from a server may lead into a private network. Otherwise it is followed only to the internet, and to hosts that the
   * URLs name.
   */
  allowPrivate?: boolean;
}

/** What `send` takes: paths, one text, bytes and streams under names, or a store of your own (`@beeline-transfer/beeline/stores`). */
export type What = readonly string[] | { text: string } | { items: readonly SendItem[] } | { store: Source };
