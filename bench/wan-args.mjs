/** Command-line arguments of the wide-area benchmark, and its paths. */
import { parseArgs } from 'node:util';

/** Round trip in milliseconds, loss per direction in percent, rate in Mbit/s. */
const PATHS = [
  { rtt: 20, loss: 0, rate: 500 },
  { rtt: 100, loss: 0, rate: 200 },
  { rtt: 50, loss: 0.1, rate: 1000 },
  { rtt: 100, loss: 1, rate: 200 },
  { rtt: 200, loss: 2, rate: 500 },
  { rtt: 300, loss: 5, rate: 100 },
];
export const CONTESTANTS = ['beeline', 'other', 'scp', 'tls'];

const keyOf = ({ rtt, loss }) => `${rtt}/${loss}`;

export const HELP = `npm run bench:wan -- [--seconds 60] [--first 10] [--queue 100] [--seed 1] [--lanes N]
                     [--rounds 1] [--goals] [--other DIST] [--only PATH,...] [--with ${CONTESTANTS.join(',')}]
                     [--dir /dev/shm] [--json FILE]

Goodput over emulated wide-area links (lab/wan.c; needs root and gcc), each contestant alone on a fresh link:
  beeline  the command of dist/, one file of random data, from the receiver's start
  other    the same command of another build, whose dist --other names
  scp      Debian's own scp pushing to a Debian sshd as they come, from its start
  tls      one TLS 1.3 stream between two Node processes, from memory to memory, from the receiver's start
All TCP is on CUBIC, as most hosts have it. PATH is round trip/loss, one of ${PATHS.map(keyOf).join(', ')};
or round trip/loss/rate for any other. Loss (%) is per direction; the queue (ms at the rate) drops at its tail.
--rounds: so often, all in turn; medians and ranges are reported. --goals: for Beeline also, each on a link of its own, what a CUBIC
stream that was there before keeps of its due, which is half of the link, or what it gets alone where losses leave it less, and a file of
10 MB from the receiver's start to its end.
The ping is one packet five times a second beside each contestant.
--first: seconds at the beginning that are reported by themselves. The rate counts whole IP packets: with headers of
TCP or UDP and TLS off, some 95 % is all that any of them can reach.
Exit status: 0 when every contestant moved bytes until its time was up, whatever the figures; 1 otherwise.`;

function atLeast(least, text, name) {
  const value = Number(text);
  if (!(value >= least)) throw new Error(`--${name} wants a number of at least ${least}.`);
  return value;
}

function pathOf(text) {
  const known = PATHS.find((path) => keyOf(path) === text);
  if (known) return known;
  const [rtt, loss, rate] = text.split('/').map(Number);
  if (!(rtt >= 0 && loss >= 0 && loss <= 100 && rate > 0))
    throw new Error(`--only wants ${PATHS.map(keyOf).join(', ')}, or round trip/loss/rate, not ${text}.`);
  return { rtt, loss, rate };
}

export function readArguments(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      seconds: { type: 'string', default: '60' },
      first: { type: 'string', default: '10' },
      queue: { type: 'string', default: '100' },
      seed: { type: 'string', default: '1' },
      lanes: { type: 'string' },
      rounds: { type: 'string', default: '1' },
      goals: { type: 'boolean', default: false },
      other: { type: 'string' },
      only: { type: 'string' },
      with: { type: 'string' },
      dir: { type: 'string', default: '/dev/shm' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const all = CONTESTANTS.filter((name) => name !== 'other' || values.other !== undefined);
  const wanted = values.with?.split(',') ?? all;
  const unknown = wanted.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`--with wants some of ${all.join(',')}, not ${unknown}.`);
  return {
    seconds: atLeast(1, values.seconds, 'seconds'),
    first: atLeast(1, values.first, 'first'),
    queue: atLeast(0, values.queue, 'queue'),
    seed: atLeast(0, values.seed, 'seed'),
    lanes: values.lanes === undefined ? undefined : atLeast(1, values.lanes, 'lanes'),
    paths: values.only === undefined ? PATHS : values.only.split(',').map(pathOf),
    rounds: atLeast(1, values.rounds, 'rounds'),
    goals: values.goals,
    other: values.other,
    contestants: CONTESTANTS.filter((name) => wanted.includes(name)),
    dir: values.dir,
    json: values.json,
    help: values.help,
  };
}
