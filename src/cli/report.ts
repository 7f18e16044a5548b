/** A transfer in plain sentences, for the person at this side. What is drawn in place is progress.ts. */

import { escapeName, quoted } from '../base/printable.ts';
import type { Result, TransferEvent } from '../node/api.ts';
import { DeliveryError } from '../session/delivery.ts';
import { type Board, labelOf } from './board.ts';
import { summary } from './board-lines.ts';
import { contents, count, escapeText, formatBytes, formatDuration, formatRate, groups } from './format.ts';
import { withHint } from './hints.ts';
import type { Host } from './host.ts';
import { httpLines } from './instructions.ts';
import type { Screen } from './screen.ts';
import type { Swarm } from './tracker.ts';

export interface ReportOptions {
  role: 'send' | 'receive';
  /** Errors only: `--quiet` and `--json`. */
  terse: boolean;
  json: boolean;
  /** The other side are servers of files. */
  servers?: true;
  /** Only what differs is wanted. */
  update?: boolean;
  /** The code that the person chose, if so. */
  chosenCode?: string;
  /** A sender's, with several receivers. */
  board?: Board | undefined;
  /** What to tell about a code. */
  instructions: (code: string) => void;
  /** What to tell about pages that this process serves. */
  pages?: (links: readonly string[]) => void;
}

/** Bytes between a receiver and others that are told at the end. */
const WORTH_TELLING = 10_000;

type StateEvent = Extract<TransferEvent, { event: 'state' }>;

export class Report {
  readonly #screen: Screen;
  readonly #stdout: Host['stdout'];
  readonly #options: ReportOptions;
  #wasConnected = false;
  /** Lanes are open: the server is not needed then. */
  #connected = false;
  /** Why the server is away; undefined while it is there. */
  #server: string | undefined;
  #toldServer = false;
  /** With several receivers: a person here paused all of them. */
  #pausedAll = false;
  /** At a receiver: what moved between it and others. */
  #others: Swarm | undefined;
  /** Those of several receivers that lost every connection. */
  readonly #away = new Set<string>();
  #ofAll = '';
  #kind: 'files' | 'text' | 'stream' = 'files';
  /** Of the offer. */
  #files = 0;

  constructor(screen: Screen, stdout: Host['stdout'], options: ReportOptions) {
    this.#screen = screen;
    this.#stdout = stdout;
    this.#options = options;
  }

  /** Lines that are no error. */
  say(...lines: (string | readonly string[])[]): void {
    if (!this.#options.terse) this.#screen.line(...lines);
  }

  apply(event: TransferEvent): void {
    if (this.#options.board && this.#ofReceiver(event, this.#options.board)) return;
    switch (event.event) {
      case 'code':
        return this.#code(event.code);
      case 'web':
        return this.#options.pages?.(event.links);
      case 'http':
        return this.say(httpLines(event.links));
      case 'downloaded':
        return this.say(
          `${event.address} has all of it by the link (${formatBytes(event.bytes)} in ${formatDuration(event.seconds)}).`,
        );
      case 'download':
        if (event.status === 'failed')
          this.say(`${event.address} broke off, after ${formatBytes(event.bytes)}.`);
        return;
      case 'manifest':
        if (event.bytes !== null) this.#ofAll = ` of ${formatBytes(event.bytes)}`;
        this.#kind = event.kind;
        this.#files = event.files;
        return this.say(`${this.#options.role === 'send' ? 'To send' : 'To receive'}: ${contents(event)}.`);
      case 'resumed':
        return this.say(`Going on: ${formatBytes(event.bytes)}${this.#ofAll} is here already.`);
      case 'peer': {
        if (this.#options.servers)
          return this.say(`The server is ${event.fingerprint}${event.agent && ` (${event.agent})`}.`);
        const name = event.name === undefined ? '' : ` ${event.name},`;
        return this.say(`The other side is${name} ${groups(event.fingerprint)} (${event.agent}).`);
      }
      case 'state':
        return this.#state(event);
      case 'server':
        this.#server = event.reachable ? undefined : (event.message ?? '');
        return this.#tellServer();
      case 'warning': {
        const { path } = event;
        const message = withHint(event);
        // Most sentences name it themselves.
        const named = path === undefined || message.includes(quoted(path));
        return this.say(`Warning: ${named ? '' : `${path}: `}${message}`);
      }
      case 'swarm':
        this.#others = event;
        return;
      case 'digest':
        return this.say(`${event.sha256}  ${event.path}`);
      case 'placed':
        return this.say(`    ${event.as ?? event.path}`);
      case 'trusted':
        return this.say(
          `Trusted: ${event.name}. No code is needed any more if the other side trusts this one too.`,
        );
      case 'text':
        return this.#received(event.text);
    }
  }

  /**
   * What is said of one of several receivers. The board knows the event already.
   * @returns false for an event that is told in the same way as with one
   */
  #ofReceiver(event: TransferEvent, board: Board): boolean {
    if (!('peer' in event) || event.peer === undefined) return false;
    const row = board.rows.get(event.peer);
    const who = `Receiver ${event.peer}`;
    switch (event.event) {
      case 'peer':
        if (event.again) this.say(`${who} is ${labelOf(event)} once more, which has had everything before.`);
        else this.say(`${who} is ${row?.label} (${event.agent}).`);
        return true;
      case 'state':
        if (row) this.#stateOf(who, event);
        return true;
      case 'ended': {
        const { wanted, done } = board;
        const all = `${done}${wanted === 'any' ? '' : ` of ${wanted}`} done.`;
        const { bytes, seconds, message = '' } = event;
        const named = `${who} (${row?.label ?? labelOf(event)})`;
        if (event.again) this.say(`${named} had everything before, and came once more.`);
        else if (!event.ok) this.say(`${named} has not got everything: ${withHint({ ...event, message })}`);
        else this.say(`${named} has everything: ${formatBytes(bytes)} in ${formatDuration(seconds)}. ${all}`);
        return true;
      }
      case 'warning':
        this.say(`Warning: ${who}: ${withHint(event)}`);
        return true;
      default:
        return true;
    }
  }

  #stateOf(who: string, { from, to, by, reason }: StateEvent): void {
    const back = to === 'transferring' && (from === 'connecting' || from === 'authenticating');
    if (by === 'self' && (to === 'paused' || from === 'paused')) {
      // This side's person pauses once, and each session changes: it is said once.
      if (this.#pausedAll === (to === 'paused')) return;
      this.#pausedAll = to === 'paused';
      this.say(to === 'paused' ? 'Paused for all. Press r to resume.' : 'Resumed.');
    } else if (to === 'paused')
      this.say(
        reason ? `${who} paused: ${reason} It goes on by itself once it can write again.` : `${who} paused.`,
      );
    else if (from === 'paused' && to === 'transferring') this.say(`${who} resumed.`);
    else if (to === 'connecting' && (from === 'transferring' || from === 'paused'))
      this.say(
        by === 'peer' && reason
          ? `${who}: ${reason}`
          : `${who} is away${reason ? ` (${reason})` : ''}. It goes on when it is back; it can also start again with the same code.`,
      );
    else if (back && this.#away.delete(who)) this.say(`${who} is back.`);
    if (to === 'connecting') this.#away.add(who);
  }

  /** Not everybody has everything: says how it went for each. The error itself is told elsewhere. */
  unfinished(error: unknown): void {
    const { board } = this.#options;
    if (!board || board.rows.size === 0) return;
    this.say(summary(board));
    if (error instanceof DeliveryError && error.receipt !== undefined)
      this.say(`Receipt of what was received: ${error.receipt}`);
  }

  #finishedAll(result: Result, board: Board): void {
    this.say(summary(board));
    const what = contents({ ...result, bytes: result.bytes, kind: this.#kind, folders: 0, links: 0 });
    const done = result.receivers?.filter(({ ok }) => ok).length ?? board.done;
    const out = board.out > 0 ? ` ${formatBytes(board.out)} went out from here.` : '';
    this.say(`Sent ${what} to ${count(done, 'receiver')}.${out}`);
    if (result.root !== '') this.say(`Verified. Root ${groups(result.root)}.`);
  }

  finished(result: Result): void {
    const { board } = this.#options;
    if (board) this.#finishedAll(result, board);
    else this.#finishedOne(result);
    if (result.receipt !== undefined) this.say(`Receipt: ${result.receipt}`);
    this.#skipped(result);
  }

  #finishedOne(result: Result): void {
    const sent = this.#options.role === 'send';
    if (result.files === 0) this.say(this.#nothingMoved(sent));
    else this.#moved(result, sent);
    // It was had by a link, which hashes nothing.
    if (result.root === '') return;
    if (this.#options.servers) return this.say(`Root ${groups(result.root)}.`);
    this.say(`Verified. Root ${groups(result.root)}, the same on both sides. Peer ${groups(result.peer)}.`);
    const { down = 0, up = 0 } = this.#others ?? {};
    // Only greetings crossed.
    if (down + up < WORTH_TELLING) return;
    this.say(`From other receivers came ${formatBytes(down)}, and to them went ${formatBytes(up)}.`);
  }

  #nothingMoved(sent: boolean): string {
    if (this.#files === 0)
      return sent ? 'Sent: there are no files in it.' : 'Received: there are no files in it.';
    const files = count(this.#files, 'file');
    if (sent) return `Nothing to send: the other side kept what it has (${files}).`;
    return this.#options.update ? `Up to date: ${files}.` : `Nothing new: what is here was kept (${files}).`;
  }

  #moved(result: Result, sent: boolean): void {
    const what = contents({ ...result, kind: this.#kind, folders: 0, links: 0 });
    const rate = formatRate(Math.max(0, result.bytes - result.resumed) / Math.max(result.seconds, 0.001));
    const resumed = result.resumed > 0 ? `; ${formatBytes(result.resumed)} of it was there already` : '';
    this.say(
      `${sent ? 'Sent' : 'Received'} ${what} in ${formatDuration(result.seconds)} (${rate})${resumed}.`,
    );
    // Counted only where nothing was left out for another reason.
    const kept = sent || result.skipped.length > 0 ? 0 : this.#files - result.files;
    if (kept > 0)
      this.say(
        `${count(kept, 'file')} ${kept === 1 ? 'was' : 'were'} ${this.#options.update ? 'up to date' : 'kept as here'}.`,
      );
  }

  #skipped(result: Result): void {
    if (result.skipped.length === 0) return;
    const why =
      this.#options.role === 'send'
        ? 'Not sent, because Beeline could not read or name them'
        : 'Left out, because the destination cannot hold them, or because they lead out of it';
    this.say(`${why} (${result.skipped.length}):`);
    this.say(result.skipped.slice(0, 20).map((path) => `    ${escapeName(path)}`));
    if (result.skipped.length > 20) this.say('    ...');
  }

  #code(code: string): void {
    if (!this.#options.terse) return this.#options.instructions(code);
    // Without its code a quiet send could never be received; one that the person chose is known already.
    if (!this.#options.json && this.#options.role === 'send' && this.#options.chosenCode === undefined)
      this.#screen.line(code);
  }

  /** A sender that was started again under a new code looks like one that is away: the person knows. */
  #lost(why: string): string {
    if (this.#options.servers)
      return `The server does not send any more${why}; trying again. What has arrived is kept.`;
    const lost = `Every connection to the other side was lost${why}; trying again.`;
    if (this.#options.role === 'send')
      return `${lost} You can also start the receiver again with the same code.`;
    return `${lost} If the sender was started again, press Ctrl-C and receive with its new code. What has arrived is kept.`;
  }

  #state({ from, to, by, reason }: StateEvent): void {
    const why = reason ? ` (${reason})` : '';
    const peer = by === 'peer';
    if (to === 'paused') this.#paused(peer, reason);
    else if (to === 'transferring' && from === 'paused')
      this.say(peer ? 'The other side resumed.' : 'Resumed.');
    else if (to === 'transferring' && this.#wasConnected) this.say('Connected again.');
    else if (to === 'connecting' && (from === 'transferring' || from === 'paused'))
      this.say(peer && reason ? reason : this.#lost(why));
    if (to === 'transferring') this.#wasConnected = true;
    this.#connected = to !== 'connecting' && to !== 'authenticating';
    this.#tellServer();
  }

  #tellServer(): void {
    const away = this.#server !== undefined;
    if (away && !this.#connected && !this.#toldServer)
      this.say(`${this.#server || 'The server cannot be reached.'} Trying again.`);
    else if (away || !this.#toldServer) return;
    else this.say('The server is there again.');
    this.#toldServer = away;
  }

  /** With a reason, the disk of one side takes no more. */
  #paused(peer: boolean, reason: string | undefined): void {
    if (reason === undefined) this.say(peer ? 'The other side paused.' : 'Paused. Press r to resume.');
    else if (peer) this.say(`Paused: ${reason} It goes on by itself once that side can write again.`);
    else
      this.say(
        `Paused: ${reason}`,
        'It goes on by itself once there is room. Ctrl-C stops; you can receive again later to go on.',
      );
  }

  /** The one thing a person wants on stdout. A pipe gets the very bytes, a terminal nothing that steers it. */
  #received(text: string): void {
    if (this.#options.json) return;
    this.#screen.status([]);
    if (!this.#stdout.isTTY) this.#stdout.write(text);
    else this.#stdout.write(text.endsWith('\n') ? escapeText(text) : `${escapeText(text)}\n`);
  }
}

/** Names for the first line of a send. */
export function shownPath(path: string): string {
  return path === '-' ? 'stdin' : escapeName(path);
}
