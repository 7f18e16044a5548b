// Writes what benchmarks measured into docs/performance.md and README.md, and plots into docs/performance/. No figure there is written by hand.
//
//   npm run bench -- --json build/bench.json; npm run bench:wan -- --goals --rounds 3 --json build/wan.json
//   node scripts/performance.mjs build/bench.json build/wan.json ...
//
// Files may hold some parts only: of a part that is in several, the last counts. What lies between `<!-- measured: NAME -->` and
// `<!-- end -->` is replaced, if the part is there.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { GOALS } from '../bench/goals.mjs';
import { fixed, median, spread } from '../bench/report.mjs';
import { kept } from '../bench/wan-goals.mjs';

const PLOTS = 'docs/performance';
const WIDTH = 720;
const LEFT = 150;
const COLOURS = ['#c8860a', '#5b6470', '#9aa3ad'];
const MiB = 2 ** 20;

const results = {};
for (const name of process.argv.slice(2)) {
  const read = JSON.parse(readFileSync(name, 'utf8'));
  if (Array.isArray(read.results)) results.wan = read;
  else for (const [part, values] of Object.entries(read)) results[part] = { ...values, about: read.about };
}
if (Object.keys(results).length === 0) {
  console.error('Name files that `--json` of the benchmarks wrote.');
  process.exit(2);
}
mkdirSync(PLOTS, { recursive: true });

const row = (...cells) => `| ${cells.join(' | ')} |`;
const rule = (count) => `|${' --- |'.repeat(count)}`;
const verdict = (reached) => (reached ? 'reached' : '**missed**');
const about = ({ about: one }) =>
  one
    ? `Node ${one.node}, ${one.cpus} cores (${one.model}), ${one.rounds} rounds in turn, files ${one.memory ? 'in memory' : 'on a disk'}.`
    : '';

/** How many times as fast as the rival, and in each round. */
function times(rival, ours) {
  return {
    ratio: rival.seconds / ours.seconds,
    rounds: rival.all.map((seconds, at) => seconds / ours.all[at]),
  };
}

const goal = ({ ratio, rounds }, least) =>
  `${ratio.toFixed(2)} times (${spread(rounds, 2)}); goal ${least}: ${verdict(ratio >= least)}`;

const PARTS = {
  big(part) {
    const { rows, size, cipher } = part;
    bars('big', `Seconds for ${size / MiB} MiB (shorter is better)`, rows);
    return [
      about(part),
      '',
      row('', 'seconds', 'rounds', 'MB/s', 'CPU s, sender', 'CPU s, receiver', 'speed of Beeline beside it'),
      rule(7),
      ...Object.entries(rows).map(([name, one]) =>
        row(
          name === 'scp' ? `scp (${cipher})` : name,
          ...[
            fixed(one.seconds, 2),
            spread(one.all, 2),
            fixed(one.rate, 0),
            fixed(one.cpu.from, 2),
            fixed(one.cpu.to, 2),
          ],
          name === 'scp'
            ? goal(times(one, rows.Beeline), GOALS.scp)
            : name === 'pump'
              ? goal(times(one, rows.Beeline), GOALS.pump)
              : '',
        ),
      ),
      '',
      `![Seconds for one large file](performance/big.svg)`,
    ];
  },
  small(part) {
    const { rows, files, fileSize } = part;
    bars('small', `Seconds for ${files} files of ${fileSize / 1024} KiB (shorter is better)`, rows);
    const least = { rsync: GOALS.rsync, tar: GOALS.tar };
    return [
      about(part),
      '',
      row('', 'seconds', 'rounds', 'CPU s, sender', 'CPU s, receiver', 'speed of Beeline beside it'),
      rule(6),
      ...Object.entries(rows).map(([name, one]) =>
        row(
          name,
          ...[fixed(one.seconds, 2), spread(one.all, 2), fixed(one.cpu.from, 2), fixed(one.cpu.to, 2)],
          least[name] ? goal(times(one, rows.Beeline), least[name]) : '',
        ),
      ),
      '',
      `![Seconds for many small files](performance/small.svg)`,
    ];
  },
  trees(part) {
    const { sizes, growth } = part;
    lines('trees', 'Seconds by number of files of 1 KiB', [
      { name: 'Beeline', points: sizes.map(({ files, rows }) => [files, rows.Beeline.seconds]) },
      ...(sizes[0].rows.rsync
        ? [{ name: 'rsync', points: sizes.map(({ files, rows }) => [files, rows.rsync.seconds]) }]
        : []),
    ]);
    return [
      about(part),
      '',
      row(
        'files',
        'code after s',
        'seconds',
        'rounds',
        'CPU s, sender and receiver',
        'peak MiB, sender and receiver',
        'rsync s',
      ),
      rule(7),
      ...sizes.map(({ files, code, rows: { Beeline, rsync } }) =>
        row(
          ...[files, fixed(code.seconds, 2), fixed(Beeline.seconds, 2), spread(Beeline.all, 2)],
          `${fixed(Beeline.cpu.from, 2)} and ${fixed(Beeline.cpu.to, 2)}`,
          `${fixed(Beeline.rss.from / MiB, 0)} and ${fixed(Beeline.rss.to / MiB, 0)}`,
          fixed(rsync?.seconds, 2),
        ),
      ),
      '',
      `A file of the largest tree takes ${growth.toFixed(2)} times the time of one of the smallest; goal at most ${GOALS.linear}: ${verdict(growth <= GOALS.linear)}.`,
      '',
      `![Seconds by number of files](performance/trees.svg)`,
    ];
  },
  sync(part) {
    const places = Object.entries(part).filter(([, value]) => value?.medium);
    return [
      about(part),
      '',
      row('received on', 'what', 'with syncing, s', 'without, s', 'share of the speed left'),
      rule(5),
      ...places.flatMap(([, { medium, big, small }]) =>
        Object.entries({ 'one large file': big, 'many small files': small }).map(
          ([what, { rows, ratio, shares }]) =>
            row(
              ...[medium, what, fixed(rows.with.seconds, 2), fixed(rows.without.seconds, 2)],
              `${(ratio * 100).toFixed(0)} % (${spread(shares, 0)}); goal ${GOALS.synced * 100}: ${verdict(ratio >= GOALS.synced)}`,
            ),
        ),
      ),
    ];
  },
  start(part) {
    const { raw, lan } = part;
    const seconds = (all) => all.map((one) => one.seconds);
    return [
      about(part),
      '',
      row(
        'a file of one byte',
        'seconds until both have ended',
        'rounds',
        'CPU s, sender',
        'CPU s, receiver',
      ),
      rule(5),
      ...Object.entries(raw).map(([name, all]) =>
        row(
          ...[name, fixed(median(seconds(all)), 3), spread(seconds(all), 3)],
          ...['from', 'to'].map((end) => fixed(median(all.map((one) => one[end]?.cpu)), 3)),
        ),
      ),
      '',
      `Goal ${GOALS.start.seconds} s: ${verdict(median(seconds(raw.Beeline)) < GOALS.start.seconds)}.`,
      ...(lan
        ? [
            '',
            row('on a LAN, met by mDNS, ms from the start of `receive`', 'median', 'rounds'),
            rule(3),
            ...Object.entries({ lane: 'a lane is up', first: 'the first bytes', done: 'all 64 MiB' }).map(
              ([key, name]) =>
                row(
                  name,
                  fixed(median(lan.map((one) => one[key])), 0),
                  spread(
                    lan.map((one) => one[key]),
                    0,
                  ),
                ),
            ),
            '',
            `Goal ${GOALS.start.lanMs} ms to the first bytes: ${verdict(median(lan.map(({ first }) => first)) < GOALS.start.lanMs)}.`,
          ]
        : []),
    ];
  },
  threads(part) {
    const { rows, size } = part;
    lines(
      'threads',
      'CPU seconds a GiB of the busiest thread, by threads',
      ['from', 'to'].map((end) => ({
        name: end === 'from' ? 'sender' : 'receiver',
        points: rows.map(({ count, [end]: one }) => [count, one.busiest]),
      })),
    );
    const four = rows.find(({ count }) => count === GOALS.threads.count);
    return [
      about(part),
      '',
      row('threads', 'sender: all', 'main', 'busiest', 'receiver: all', 'main', 'busiest', 'projected MB/s'),
      rule(8),
      ...rows.map(({ count, from, to, projected }) =>
        row(
          count,
          ...[from, to].flatMap(({ all, main, busiest }) =>
            [all, main, busiest].map((value) => fixed(value, 2)),
          ),
          fixed(projected, 0),
        ),
      ),
      '',
      `CPU seconds a GiB, one file of ${size / MiB} MiB, start-up included. With ${GOALS.threads.count} threads the busiest has ${fixed(four.busiest, 2)} (${four.range}); goal ${GOALS.threads.seconds}: ${verdict(four.busiest <= GOALS.threads.seconds)}.`,
      '',
      `![CPU seconds of the busiest thread](performance/threads.svg)`,
    ];
  },
  wan(part) {
    const share = (one, rate) => (one.goodput / rate) * 100;
    const of = (path, name, value) => path.rounds[name].map(value);
    const paths = part.results;
    const smalls = (path) => of(path, 'beeline', (one) => one.small).filter((one) => one !== undefined);
    const small = (path, value, digits) => fixed(median(smalls(path).map(value)), digits);
    const isGoal = ({ rtt, loss }) => rtt === GOALS.small.rtt && loss === GOALS.small.loss;
    const secondsOf = (path) => median(smalls(path).map(({ seconds }) => seconds));
    return [
      `${part.seconds} s each, TCP on CUBIC, queue ${part.queue} ms, seed ${part.seed}.`,
      '',
      row(
        'round trip, loss each way, rate',
        'share of the link',
        'second half',
        'goal',
        'first byte, s',
        'round trips after the lane',
        '10 MB, s',
        'ping, ms',
        'CUBIC beside it keeps',
        '`scp`',
      ),
      rule(10),
      ...paths.map((path) => {
        const all = of(path, 'beeline', (one) => share(one, path.rate));
        const least = GOALS.wan[path.loss];
        const scp = path.rounds.scp && median(of(path, 'scp', (one) => share(one, path.rate)));
        return row(
          `${path.rtt} ms, ${path.loss} %, ${path.rate} Mbit/s`,
          `${median(all).toFixed(0)} % (${spread(all, 0)})`,
          `${median(of(path, 'beeline', (one) => (one.second / path.rate) * 100)).toFixed(0)} %`,
          least === undefined ? '' : `${least} %: ${verdict(median(all) >= least)}`,
          median(of(path, 'beeline', (one) => one.firstByte)).toFixed(2),
          small(path, ({ firstByte, firstLane }) => (firstByte - firstLane) / (path.rtt / 1000), 1),
          fixed(secondsOf(path), 1) +
            (isGoal(path)
              ? `; goal ${GOALS.small.seconds}: ${verdict(secondsOf(path) <= GOALS.small.seconds)}`
              : ''),
          fixed(median(of(path, 'beeline', (one) => one.ping.median)), 0),
          path.lone?.length > 0 ? keeps(path) : '',
          scp === undefined ? '' : `${scp.toFixed(1)} %`,
        );
      }),
    ];
  },
};

for (const file of ['docs/performance.md', 'README.md']) {
  if (!existsSync(file)) continue;
  const text = readFileSync(file, 'utf8').replace(
    /(<!-- measured: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (whole, head, name, end) => {
      const made = name === 'summary' ? summary() : results[name] && PARTS[name]?.(results[name]);
      return made ? `${head}\n${made.join('\n')}\n\n${end}` : whole;
    },
  );
  writeFileSync(file, text);
}

/** Of half of the link, or of what it gets alone where losses leave it less. */
function keeps({ rounds, lone, rate }) {
  const shares = kept(rounds.beeline, lone, rate);
  return `${median(shares).toFixed(0)} % (${spread(shares, 0)}); goal ${GOALS.kept} %: ${verdict(median(shares) >= GOALS.kept)}`;
}

/** The README's few lines. */
function summary() {
  const { big, small, start, trees } = results;
  if (!big || !small) return undefined;
  const { Beeline, scp, pump } = big.rows;
  const lines = [
    about(big),
    '',
    row('', 'Beeline', 'beside it', 'its speed'),
    rule(4),
    ...(scp
      ? [
          row(
            `${big.size / MiB} MiB, \`scp\` with its fastest cipher`,
            `${fixed(Beeline.seconds, 2)} s`,
            `${fixed(scp.seconds, 2)} s`,
            goal(times(scp, Beeline), GOALS.scp),
          ),
        ]
      : []),
    row(
      `${big.size / MiB} MiB, a bare TLS pump without disk or hash`,
      `${fixed(Beeline.seconds, 2)} s`,
      `${fixed(pump.seconds, 2)} s`,
      goal(times(pump, Beeline), GOALS.pump),
    ),
    ...['rsync', 'tar'].flatMap((name) =>
      small.rows[name]
        ? [
            row(
              `${small.files} files of ${small.fileSize / 1024} KiB, \`${name}\` over ssh, which syncs nothing`,
              `${fixed(small.rows.Beeline.seconds, 2)} s`,
              `${fixed(small.rows[name].seconds, 2)} s`,
              goal(times(small.rows[name], small.rows.Beeline), GOALS[name]),
            ),
          ]
        : [],
    ),
  ];
  if (start)
    lines.push(
      row(
        'a file of one byte, until both have ended',
        `${fixed(median(start.raw.Beeline.map(({ seconds }) => seconds)), 2)} s`,
        '',
        '',
      ),
    );
  if (trees) {
    const { files, rows } = trees.sizes.at(-1);
    lines.push(
      row(
        `${files} files of 1 KiB`,
        `${fixed(rows.Beeline.seconds, 1)} s`,
        rows.rsync ? `rsync ${fixed(rows.rsync.seconds, 1)} s` : '',
        '',
      ),
    );
  }
  return lines;
}

function svg(name, title, height, body) {
  writeFileSync(
    `${PLOTS}/${name}.svg`,
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="14">\n` +
      `<title>${title}</title>\n<rect width="100%" height="100%" fill="#fff"/>\n<text x="12" y="24" font-weight="600">${title}</text>\n${body.join('\n')}\n</svg>\n`,
  );
}

/** Medians as bars, with a line over all rounds. */
function bars(name, title, rows) {
  const shown = Object.entries(rows).filter(([what]) => !what.endsWith('1 byte'));
  const most = Math.max(...shown.flatMap(([, { all }]) => all));
  const x = (value) => LEFT + (value / most) * (WIDTH - LEFT - 70);
  svg(
    name,
    title,
    50 + shown.length * 36,
    shown.map(([what, { seconds, all }], at) => {
      const y = 44 + at * 36;
      const [least, greatest] = [Math.min(...all), Math.max(...all)];
      return (
        `<text x="12" y="${y + 16}">${what}</text>` +
        `<rect x="${LEFT}" y="${y}" width="${(x(seconds) - LEFT).toFixed(1)}" height="22" fill="${COLOURS[what === 'Beeline' ? 0 : 1]}"/>` +
        `<path d="M${x(least).toFixed(1)} ${y + 11}H${x(greatest).toFixed(1)}" stroke="#111"/>` +
        `<text x="${(x(Math.max(seconds, greatest)) + 8).toFixed(1)}" y="${y + 16}">${seconds.toFixed(2)}</text>`
      );
    }),
  );
}

function lines(name, title, series) {
  const height = 320;
  const all = series.flatMap(({ points }) => points);
  const [right, top] = [Math.max(...all.map(([x]) => x)), Math.max(...all.map(([, y]) => y))];
  const x = (value) => 60 + (value / right) * (WIDTH - 180);
  const y = (value) => height - 40 - (value / top) * (height - 90);
  const body = series.flatMap(({ name: what, points }, at) => {
    const last = points.at(-1);
    return [
      `<polyline fill="none" stroke="${COLOURS[at]}" stroke-width="2" points="${points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(' ')}"/>`,
      ...points.map(
        ([a, b]) =>
          `<circle cx="${x(a).toFixed(1)}" cy="${y(b).toFixed(1)}" r="3" fill="${COLOURS[at]}"><title>${a}: ${b.toFixed(2)}</title></circle>`,
      ),
      `<text x="${(x(last[0]) + 8).toFixed(1)}" y="${(y(last[1]) + 5).toFixed(1)}" fill="${COLOURS[at]}">${what} ${last[1].toFixed(2)}</text>`,
    ];
  });
  const ticks = [...new Set(all.map(([a]) => a))].map(
    (a) => `<text x="${x(a).toFixed(1)}" y="${height - 18}" text-anchor="middle" fill="#555">${a}</text>`,
  );
  svg(name, title, height, [
    `<path d="M60 ${y(0)}H${x(right).toFixed(1)}M60 ${y(0)}V${y(top).toFixed(1)}" stroke="#aaa" fill="none"/>`,
    `<text x="52" y="${(y(top) + 5).toFixed(1)}" text-anchor="end" fill="#555">${top.toFixed(1)}</text>`,
    `<text x="52" y="${y(0) + 5}" text-anchor="end" fill="#555">0</text>`,
    ...ticks,
    ...body,
  ]);
}
