/** Medians and the printed tables. */

export function median(values) {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  if (known.length === 0) return undefined;
  const middle = known.length >> 1;
  return known.length % 2 === 1 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
}

/** Folds the rounds of one contestant into medians (peaks for memory). */
export function fold(rounds, bytes) {
  const seconds = median(rounds.map((round) => round.seconds));
  const cpu = (end) => median(rounds.map((round) => round[end].cpu));
  const rss = (end) => {
    const peaks = rounds.map((round) => round[end].rss).filter((value) => value !== undefined);
    return peaks.length > 0 ? Math.max(...peaks) : undefined;
  };
  return {
    seconds,
    all: rounds.map((round) => round.seconds),
    rate: bytes / 1e6 / seconds,
    cpu: { from: cpu('from'), to: cpu('to') },
    rss: { from: rss('from'), to: rss('to') },
  };
}

export const fixed = (value, digits) => (value === undefined ? '-' : value.toFixed(digits));
export const mebibytes = (value, digits = 0) =>
  fixed(value === undefined ? undefined : value / 2 ** 20, digits);

/** A table of contestants: `rows` maps a name to what `fold` gave. */
export function table(rows) {
  const head = [
    '',
    'median s',
    'MB/s',
    'CPU s, from',
    'CPU s, to',
    'peak MiB, from',
    'peak MiB, to',
    'rounds',
  ];
  const lines = Object.entries(rows).map(([name, row]) => [
    name,
    fixed(row.seconds, 3),
    fixed(row.rate, 0),
    fixed(row.cpu.from, 2),
    fixed(row.cpu.to, 2),
    mebibytes(row.rss.from),
    mebibytes(row.rss.to),
    row.all.map((seconds) => seconds.toFixed(2)).join(' '),
  ]);
  return columns(head, lines, [0, head.length - 1]);
}

/** Lines of cells under a head, numbers to the right; the columns of the numbers `left` are text. */
export function columns(head, lines, left = [0]) {
  const widths = head.map((_, i) => Math.max(...[head, ...lines].map((line) => line[i].length)));
  const pad = (text, i) => (left.includes(i) ? text.padEnd(widths[i]) : text.padStart(widths[i]));
  return [head, ...lines].map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
}

/** The least and the most of some numbers: `1.20 to 1.45`. */
export const spread = (values, digits) =>
  `${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)}`;

/** `Beeline / scp: 2.31 times its speed (goal 2.00 reached; rounds 2.10 to 2.40)`; the rounds of both were run in turn. */
export function ratio(name, rival, ours, goal) {
  const times = rival.seconds / ours.seconds;
  const rounds = `rounds ${spread(
    rival.all.map((seconds, i) => seconds / ours.all[i]),
    2,
  )}`;
  const mark =
    goal === undefined ? '' : `goal ${goal.toFixed(2)} ${times >= goal ? 'reached' : 'NOT reached'}; `;
  return `Beeline / ${name}: ${times.toFixed(2)} times its speed (${mark}${rounds})`;
}
