/** What arrives in an inbox in plain sentences, and on a terminal a line for each that is under way. */
import { join } from 'node:path';
import { escapeName } from '../base/printable.ts';
import type { InboxEvent } from '../node/inbox.ts';
import {
  contents,
  escapeText,
  formatBytes,
  formatDuration,
  formatRate,
  groups,
  percentOf,
  shellWord,
} from './format.ts';
import { withHint } from './hints.ts';
import type { Host } from './host.ts';
import { listed } from './instructions.ts';
import { keepEnd } from './measure.ts';
import { OutboxReport } from './outbox-report.ts';
import type { Screen } from './screen.ts';

/** Of which an inbox may have one for each address. */
const MOST_LINKS = 4;

type Offer = Extract<InboxEvent, { event: 'offer' }>;

/** One that is under way. */
interface Arriving {
  device: string;
  to: string;
  offer?: Offer;
  bytes: number;
  total: number | null;
  rate: number;
}

/** So far, for metrics. */
export interface InboxCounts {
  arrivals: number;
  failed: number;
  bytes: number;
  devices: number;
}

export class ArrivalsReport {
  readonly counts: InboxCounts = { arrivals: 0, failed: 0, bytes: 0, devices: 0 };
  readonly #screen: Screen;
  readonly #stdout: Host['stdout'];
  readonly #quiet: boolean;
  readonly #outbox: OutboxReport;
  readonly #arriving = new Map<number, Arriving>();

  constructor(screen: Screen, stdout: Host['stdout'], quiet: boolean) {
    this.#screen = screen;
    this.#stdout = stdout;
    this.#quiet = quiet;
    this.#outbox = new OutboxReport((line) => this.say(line));
  }

  get arriving(): { count: number; rate: number } {
    const all = [...this.#arriving.values()];
    return { count: all.length, rate: all.reduce((sum, { rate }) => sum + rate, 0) };
  }

  say(...lines: string[]): void {
    if (!this.#quiet) this.#screen.line(...lines);
  }

  apply(event: InboxEvent): void {
    if ('arrival' in event) this.#ofArrival(event);
    else if ('item' in event) this.#outbox.apply(event);
    else this.#ofInbox(event);
    this.#draw();
  }

  #ofInbox(event: Exclude<InboxEvent, { arrival: number } | { item: number }>): void {
    switch (event.event) {
      case 'watching': {
        const { devices, server, lan } = event;
        this.counts.devices = devices;
        if (devices === 0) return;
        const where = [
          ...(server === undefined ? [] : [`at ${server}`]),
          ...(lan ? ['on the local network'] : []),
        ];
        const many = devices === 1 ? '1 trusted device' : `${devices} trusted devices`;
        return this.say(`Waiting for ${many}, ${where.join(' and ')}. Ctrl-C stops.`);
      }
      case 'uploads': {
        const { links, fingerprint, pin } = event;
        const [first = ''] = links;
        const flags = pin === undefined ? '' : `-k --pinnedpubkey ${shellWord(`sha256//${pin}`)} `;
        const lines = [
          'Files can be put here, from a browser:',
          '',
          ...links.slice(0, MOST_LINKS).map((link) => `    ${link}`),
          '',
          `Or in a terminal:  curl ${flags}-T FILE ${shellWord(first)}`,
        ];
        if (!first.startsWith('https:'))
          lines.push('It is plain HTTP: others on the network can read along. --tls encrypts it.');
        if (fingerprint !== undefined)
          lines.push(
            `The certificate is signed by nobody, so browsers warn. Compare: ${groups(fingerprint)}`,
          );
        lines.push('Ctrl-C stops.');
        if (!this.#quiet) this.#screen.line(lines);
        return;
      }
      case 'upload': {
        const from = event.from === '' ? '' : ` from ${event.from}`;
        const name = escapeName(event.name);
        if (event.status === 'refused') {
          this.counts.failed++;
          return this.say(`Not taken${from}: ${name}. ${event.message}`);
        }
        this.counts.arrivals++;
        this.counts.bytes += event.bytes;
        return this.say(`Received${from}: ${name} (${formatBytes(event.bytes)}), into ${event.to}`);
      }
      case 'server':
        return this.say(
          event.reachable ? 'The server is there again.' : `${event.message ?? ''} Trying again.`,
        );
      case 'warning':
        return this.say(
          `Warning: ${event.device === undefined ? '' : `${event.device}: `}${withHint(event)}`,
        );
    }
  }

  #ofArrival(event: Extract<InboxEvent, { arrival: number }>): void {
    const { arrival, device } = event;
    if (event.event === 'arrival')
      this.#arriving.set(arrival, { device, to: event.to, bytes: 0, total: null, rate: 0 });
    const arriving = this.#arriving.get(arrival);
    if (!arriving) return;
    switch (event.event) {
      case 'offer': {
        arriving.offer = event;
        if (event.within !== undefined) arriving.to = join(arriving.to, event.within);
        arriving.total = event.bytes;
        const what = describe(event);
        if (event.accepted) return this.say(`${device} sends ${what}.`);
        return this.say(`${device} offered ${what}. Not taken: ${event.message ?? ''}`);
      }
      case 'resumed':
        return this.say(`Going on with ${device}: ${formatBytes(event.bytes)} is here already.`);
      case 'progress':
        arriving.bytes = event.bytes;
        arriving.total = event.total;
        arriving.rate = event.rate;
        return;
      case 'text':
        return this.#text(event.text, device);
      case 'warning':
        return this.say(`Warning: ${device}: ${withHint(event)}`);
      case 'done': {
        this.#arriving.delete(arrival);
        this.counts.arrivals++;
        this.counts.bytes += event.bytes;
        if (arriving.offer?.kind === 'text') return;
        const { bytes, resumed, seconds } = event;
        const rate = formatRate(Math.max(0, bytes - resumed) / Math.max(seconds, 0.001));
        const what = arriving.offer ? describe(arriving.offer) : formatBytes(bytes);
        return this.say(
          `Received from ${device}: ${what}, verified, in ${formatDuration(seconds)} (${rate}), into ${arriving.to}`,
        );
      }
      case 'error':
        this.#arriving.delete(arrival);
        this.counts.failed++;
        if (arriving.offer?.accepted === false) return;
        if (event.code === 'LOCKED')
          return this.say(`${device} waits: something of the same name is arriving.`);
        return this.say(`Not received from ${device}: ${withHint(event)}`);
    }
  }

  /** The one thing a person wants on stdout. A pipe gets the very bytes, a terminal nothing that steers it. */
  #text(text: string, device: string): void {
    this.say(`Text from ${device}:`);
    this.#screen.status([]);
    const whole = text.endsWith('\n') ? text : `${text}\n`;
    this.#stdout.write(this.#stdout.isTTY ? escapeText(whole) : whole);
  }

  #draw(): void {
    if (this.#quiet || !this.#screen.live) return;
    const lines = [...this.#arriving.values()].map(({ device, offer, bytes, total, rate }) => {
      const part =
        total === null ? formatBytes(bytes) : `${percentOf(bytes, total)}% of ${formatBytes(total)}`;
      return keepEnd(
        `${device}: ${offer ? listed(offer.names, 1) : '...'}, ${part}, ${formatRate(rate)}`,
        this.#screen.width,
      );
    });
    const all = [...lines, ...this.#outbox.lines(this.#screen.width)];
    this.#screen.status(all.slice(0, Math.max(1, this.#screen.height - 2)));
  }
}

function describe(offer: Offer): string {
  if (offer.kind === 'text') return 'a text';
  return `${listed(offer.names.map(escapeName))} (${contents(offer)})`;
}
