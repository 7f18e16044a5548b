/** The display of several receivers: one line for the whole, and one for each of those that there is room for. */
import { scopeOf } from '../base/addresses.ts';
import type { Board, Row } from './board.ts';
import { formatBytes, formatDuration, formatRate } from './format.ts';
import { columns, keepEnd } from './measure.ts';
import { bar, type Drawing, fit, GAP } from './progress.ts';
import type { Tracker } from './tracker.ts';

/** Rows at most, on however large a terminal. */
const MOST_ROWS = 16;
/** Rows of the terminal that stay free for messages. */
const LEFT_ROWS = 4;
const LABEL_MOST = 24;
/** Columns of a name that is shortened. */
const BRIEF = 8;
const BAR_LEAST = 8;
const BAR_MOST = 24;
/** Lines of the summary at the end. */
const SUMMARY_MOST = 20;

/** @param width columns @param height rows of the terminal */
export function renderBoard(board: Board, width: number, height: number): string[] {
  const room = Math.min(MOST_ROWS, Math.max(0, height - LEFT_ROWS - 2));
  const rows = [...board.rows.values()];
  const shown = busiest(rows, rows.length <= room + 1 && room > 0 ? room + 1 : room);
  const label = Math.min(LABEL_MOST, widest(shown));
  const lines = shown.map((row) => rowLine(row, label, width));
  const more = rows.length - shown.length;
  if (more > 0 && shown.length > 0) lines.push(keepEnd(`    +${more} more`, width));
  return [...lines, wholeLine(board, width)];
}

/** Those that move most, then those that are there, then those that ended last. Sorted by their numbers. */
function busiest(rows: readonly Row[], most: number): Row[] {
  const weight = ({ ended, view }: Row) => (ended ? -1 : view.rate);
  return rows
    .toSorted((a, b) => weight(b) - weight(a) || b.peer - a.peer)
    .slice(0, most)
    .sort((a, b) => a.peer - b.peer);
}

const numbered = ({ peer, label }: Row) => `${String(peer).padStart(3)} ${label}`;
const labelWidth = (row: Row) => columns(numbered(row));

/** The number, and enough of the name to tell it from others. */
function briefly({ peer, name, label }: Row): string {
  const number = `${String(peer).padStart(3)} `;
  return padTo(
    number + (name === undefined ? label.slice(0, 4) : keepEnd(name, BRIEF)),
    number.length + BRIEF,
  );
}

const padTo = (text: string, width: number) => text + ' '.repeat(Math.max(0, width - columns(text)));

function rowLine(row: Row, label: number, width: number): string {
  const { view, standing } = row;
  const name = labelWidth(row) <= label ? numbered(row) : briefly(row);
  const padded = padTo(name, label);
  const { percent } = view;
  const far = percent === undefined ? formatBytes(view.bytes) : `${percent}%`.padStart(4);
  const rate = standing === 'receiving' ? formatRate(view.rate).padStart(9) : '';
  const silent = view.silent === undefined ? '' : `no answer for ${view.silent} s`;
  const parts = [
    [padded, briefly(row), String(row.peer).padStart(3)],
    [far],
    [rate, ''],
    [wayOf(view), ''],
    [silent === '' ? standing : silent, standing],
  ];
  return keepEnd(fit(parts, [4, 3, 0, 2, 0], width).join(GAP), width);
}

/** Over which lanes bytes go to it. */
function wayOf({ lanes }: Tracker): string {
  let way = '';
  for (const { remote, relayed } of lanes.values()) {
    if (relayed) way ||= 'relayed';
    else {
      const host = remote.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
      const near = ['private', 'link-local', 'loopback'].includes(scopeOf(host));
      if (near) return 'LAN';
      way = 'direct';
    }
  }
  return way;
}

function wholeLine(board: Board, width: number): string {
  const { percent, rate } = board.whole;
  const out = board.out > 0 ? `${formatBytes(board.out)} out` : '';
  const parts = [
    percent === undefined ? [''] : [`${percent}%`.padStart(4)],
    [...countsOf(board), ''],
    rate > 0 ? [formatRate(rate), ''] : [''],
    [out, ''],
  ];
  const wantsBar = percent !== undefined && width >= 60;
  const text = fit(parts, [1, 3, 1, 2], width - (wantsBar ? BAR_LEAST + GAP.length : 0)).join(GAP);
  const room = width - columns(text) - GAP.length;
  if (!wantsBar || room < BAR_LEAST) return keepEnd(text, width);
  return `${bar(percent, Math.min(room, BAR_MOST))}${GAP}${text}`;
}

/** '2 of 5 done, 1 receiving, 1 away, 1 to come', and shorter. */
function countsOf(board: Board): string[] {
  const { counts, wanted, done, declined, closed } = board;
  const here = counts.connecting + counts.asked + counts.receiving + counts.paused + counts.away;
  const first = wanted === 'any' ? `${done} done` : `${done} of ${wanted} done`;
  const some = (amount: number, what: string) => (amount > 0 ? [`${amount} ${what}`] : []);
  const rest = [
    ...some(counts.receiving, 'receiving'),
    ...some(counts.connecting + counts.asked, 'asked'),
    ...some(counts.paused, 'paused'),
    ...some(counts.away, 'away'),
    ...some(counts.failed, 'failed'),
    ...(wanted === 'any' || closed ? [] : some(Math.max(0, wanted - done - declined - here), 'to come')),
  ];
  return [[first, ...rest].join(', '), first];
}

/** One plain line for logs and files. */
export function plainBoard(board: Board): string {
  const { percent, rate } = board.whole;
  const far = percent === undefined ? [] : [`${percent}%`];
  const out = board.out > 0 ? [`${formatBytes(board.out)} out`] : [];
  return [...far, countsOf(board)[0], formatRate(rate), ...out].join(', ');
}

function widest(rows: readonly Row[]): number {
  return rows.reduce((most, row) => Math.max(most, labelWidth(row)), 0);
}

/** How it went for each, at the end. */
export function summary(board: Board): string[] {
  const rows = [...board.rows.values()];
  const shown = rows.slice(0, SUMMARY_MOST);
  const label = widest(shown);
  const lines = shown.map((row) => {
    const { ended, view } = row;
    const name = padTo(numbered(row), label);
    const far = formatBytes(view.bytes);
    if (ended?.ok) return `${name}${GAP}done, ${far} in ${formatDuration(ended.seconds)}`;
    return `${name}${GAP}${ended ? 'failed' : row.standing} after ${far}${ended?.message ? `: ${ended.message}` : ''}`;
  });
  return rows.length > shown.length ? [...lines, `    +${rows.length - shown.length} more`] : lines;
}

export function boardDrawing(board: Board): Drawing {
  return {
    get percent() {
      return board.whole.percent;
    },
    lines: (width, height) => renderBoard(board, width, height),
    plain: () => plainBoard(board),
  };
}
