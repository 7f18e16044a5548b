/** How fast it went from the beginning until now, in so many points that they can be drawn. Pure. */

/** Points that are kept; when there are more, each two become one. */
const MOST = 96;

export interface History {
  /** Bytes a second. */
  readonly points: readonly number[];
  /** Events in each point. */
  readonly each: number;
  /** The sum, and the number, of those that make no point yet. */
  readonly sum: number;
  readonly held: number;
}

export const NO_HISTORY: History = { points: [], each: 1, sum: 0, held: 0 };

export function longer({ points, each, sum, held }: History, rate: number): History {
  if (held + 1 < each) return { points, each, sum: sum + rate, held: held + 1 };
  const more = [...points, (sum + rate) / (held + 1)];
  if (more.length <= MOST) return { points: more, each, sum: 0, held: 0 };
  const joined = more.flatMap((point, at) => {
    const next = more[at + 1];
    return at % 2 === 0 ? [next === undefined ? point : (point + next) / 2] : [];
  });
  return { points: joined, each: each * 2, sum: 0, held: 0 };
}

/** The points as a line in a box of that size, from the start to the end; '' while there is none. */
export function linePath({ points }: History, width: number, height: number): string {
  if (points.length < 2) return '';
  const most = points.reduce((found, rate) => Math.max(found, rate), 0) || 1;
  const x = (at: number) => ((at * width) / (points.length - 1)).toFixed(1);
  const y = (rate: number) => (height - (rate / most) * height).toFixed(1);
  return points.map((rate, at) => `${at === 0 ? 'M' : 'L'}${x(at)} ${y(rate)}`).join('');
}
