/** The progress display: two lines redrawn in place on a terminal, now and then a plain line elsewhere. */
import { Alarm, type Clock, realClock } from '../base/clock.ts';
import { escapeName } from '../base/printable.ts';
import { formatBytes, formatDuration, formatRate } from './format.ts';
import { columns, keepEnd } from './measure.ts';
import type { Screen } from './screen.ts';
import { describeLanes, type Tracker } from './tracker.ts';

export const GAP = '  ';
const BAR_LEAST = 8;
const BAR_MOST = 40;
/** From this width on, the bar gets its room before the byte counts. */
const BAR_FROM = 36;
const NAME_LEAST = 8;

/**
 * Chooses for each part the longest form that lets all fit into `room` columns. `order` names the parts to shorten by
 * one form each, the least important first.
 */
export function fit(parts: readonly (readonly string[])[], order: readonly number[], room: number): string[] {
  const chosen = parts.map(() => 0);
  const texts = () => parts.map((forms, i) => forms[chosen[i]!] ?? '').filter((text) => text !== '');
  for (const part of order) {
    if (columns(texts().join(GAP)) <= room) break;
    chosen[part]!++;
  }
  return texts();
}

/** One or two lines, each at most `width` columns. */
export function render(view: Tracker, width: number): string[] {
  return [numbers(view, width), names(view, width)].filter((line) => line !== '');
}

function numbers(view: Tracker, width: number): string {
  const { percent, total } = view;
  const done = formatBytes(view.bytes);
  const left = view.eta === undefined ? '' : formatDuration(view.eta);
  const standing = standingOf(view);
  const parts = [
    percent === undefined ? [''] : [`${percent}%`.padStart(4)],
    total === undefined ? [done] : [`${done} of ${formatBytes(total)}`, done, ''],
    standing ? [standing] : [formatRate(view.rate), ''],
    standing || left === '' ? [''] : [`${left} left`, left, ''],
  ];
  const wantsBar = percent !== undefined;
  const texts = fit(
    parts,
    [1, 3, 1, 3, 2],
    width - (wantsBar && width >= BAR_FROM ? BAR_LEAST + GAP.length : 0),
  );
  const text = texts.join(GAP);
  const room = width - columns(text) - GAP.length;
  if (!wantsBar || room < BAR_LEAST) return keepEnd(text, width);
  return `${bar(percent, Math.min(room, BAR_MOST))}${GAP}${text}`;
}

/** What is shown in place of a rate. */
function standingOf({ state, silent }: Tracker): string | undefined {
  if (state === 'paused') return 'paused';
  if (state === 'connecting') return 'reconnecting';
  return silent === undefined ? undefined : `no answer for ${silent} s`;
}

export function bar(percent: number, room: number): string {
  const full = Math.floor((percent / 100) * room);
  return '━'.repeat(full) + '─'.repeat(room - full);
}

function names(view: Tracker, width: number): string {
  const file = view.file === undefined ? '' : escapeName(view.file);
  const amount = view.fileCount ?? 0;
  const files = amount > 1 ? `${view.files}/${amount}` : '';
  const least = file === '' ? 0 : Math.min(columns(file), NAME_LEAST * 2) + GAP.length;
  const lanes = escapeName(describeLanes(view));
  const others = swarmOf(view);
  const rest = fit(
    [
      files === '' ? [''] : [`${files} files`, files, ''],
      [lanes, lanes.split(',')[0] ?? '', ''],
      [others, ''],
    ],
    [1, 0, 1, 2, 0],
    Math.max(0, width - least),
  ).join(GAP);
  const room = width - (rest === '' ? 0 : columns(rest) + GAP.length);
  // How far the file is, if there are several. It is shown whole or not at all.
  const part = amount > 1 && view.filePercent !== undefined ? ` ${view.filePercent}%` : '';
  const partFits = file !== '' && columns(file) + part.length <= room;
  const name = partFits ? file + part : keepEnd(file, room);
  return [name, rest].filter((text) => text !== '').join(GAP);
}

/** 'from 3 others, to 2': with how many other receivers this one exchanges what it has. */
function swarmOf({ swarm }: Tracker): string {
  if (!swarm || (swarm.from === 0 && swarm.to === 0)) return '';
  return `from ${swarm.from} other${swarm.from === 1 ? '' : 's'}, to ${swarm.to}`;
}

/** One plain line for logs and files. */
export function plain(view: Tracker): string {
  const percent = view.percent === undefined ? '' : `${view.percent}%`;
  const total = view.total === undefined ? '' : ` of ${formatBytes(view.total)}`;
  const standing = standingOf(view);
  const eta = standing || view.eta === undefined ? '' : `${formatDuration(view.eta)} left`;
  const files = (view.fileCount ?? 0) > 1 ? `${view.files}/${view.fileCount} files` : '';
  return [percent, formatBytes(view.bytes) + total, standing ?? formatRate(view.rate), eta, files]
    .filter((text) => text !== '')
    .join(', ');
}

const FRAME_MS = 100;
const PLAIN_MS = 5_000;
const PLAIN_PERCENT = 10;

/** What a display shows. */
export interface Drawing {
  /** 0 to 100, where it is known. */
  readonly percent: number | undefined;
  /** At most `width` columns each. @param height rows of the terminal */
  lines(width: number, height: number): string[];
  /** One plain line for logs and files. */
  plain(): string;
}

/** Of a transfer with one other side. */
export function drawingOf(view: Tracker): Drawing {
  return {
    get percent() {
      return view.percent;
    },
    lines: (width) => render(view, width),
    plain: () => plain(view),
  };
}

/** Decides when to draw. `changed` after every event, `stop` before the last lines. */
export class ProgressLine {
  readonly #screen: Screen;
  readonly #drawing: Drawing;
  readonly #clock: Clock;
  readonly #unlisten: () => void;
  #drawnAt: number;
  #drawnPercent = 0;
  readonly #alarm: Alarm;
  #stopped = false;

  constructor(screen: Screen, drawing: Drawing, clock: Clock = realClock) {
    this.#screen = screen;
    this.#drawing = drawing;
    this.#clock = clock;
    this.#alarm = new Alarm(clock);
    this.#drawnAt = screen.live ? Number.NEGATIVE_INFINITY : clock.now();
    this.#unlisten = screen.onResize(() => this.changed());
  }

  changed(): void {
    if (this.#stopped) return;
    if (!this.#screen.live) this.#plain();
    else if (!this.#alarm.waits) {
      // At most ten frames a second: the first at once, later ones when their turn comes.
      const wait = this.#drawnAt + FRAME_MS - this.#clock.now();
      if (wait <= 0) return this.#draw();
      this.#alarm.set(wait, () => this.#draw());
    }
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#alarm.clear();
    this.#unlisten();
    this.#screen.status([]);
  }

  #draw(): void {
    this.#drawnAt = this.#clock.now();
    this.#screen.status(this.#drawing.lines(this.#screen.width, this.#screen.height));
  }

  /** Every 5 s or each 10 %, whichever is rarer: neither a slow nor a fast transfer floods a log. */
  #plain(): void {
    const now = this.#clock.now();
    const { percent } = this.#drawing;
    if (now - this.#drawnAt < PLAIN_MS) return;
    if (percent !== undefined && percent - this.#drawnPercent < PLAIN_PERCENT) return;
    this.#drawnAt = now;
    this.#drawnPercent = percent ?? 0;
    this.#screen.line(this.#drawing.plain());
  }
}
