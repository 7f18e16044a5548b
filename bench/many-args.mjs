/** Command-line arguments of the benchmark of many receivers. */
import { parseArgs } from 'node:util';
import { bytes, whole } from './args.mjs';

/** Mbit/s. `--rate` scales all of them. */
const RATES = { origin: { up: 50, down: 200 }, receiver: { up: 200, down: 200 }, slow: { up: 20, down: 20 } };
/** Receivers on the LAN behind the slow link. */
export const ON_LAN = 2;
export const CASES = ['one', 'help', 'alone', 'lan'];

export const HELP = `npm run bench:many -- [--size 200MB] [--rate 1] [--receivers 8,16] [--only CASE,...]
                      [--dir /dev/shm] [--json FILE]

One offer and many receivers, each a process in a network namespace of its own (lab/star.ts; needs root and iproute2).
The origin's cable carries 50 Mbit/s up and 200 down, a receiver's 200 each way. A file of random data is sent:
  one    to one receiver; the others are compared with it
  help   to each number of --receivers, who help each other
  alone  to the first number of --receivers, without help (--no-swarm)
  lan    to ${ON_LAN} receivers on one LAN, with a cable of 20 Mbit/s between it and the origin
The time is that from the receivers' start, all at once, to the last one's exit. Bytes are counted on the cables, with headers
and whatever was sent twice. All processes share this machine's processors: if these are the bottleneck, the benchmark
says so, and a --rate below 1 (such as 0.4) slows all cables alike, which keeps the ratios.
Exit status: 0 when every transfer worked and was identical, whatever the figures; 1 otherwise.`;

function scaled(factor) {
  const one = ({ up, down }) => ({ up: up * factor, down: down * factor });
  return Object.fromEntries(Object.entries(RATES).map(([name, rates]) => [name, one(rates)]));
}

export function readArguments(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      size: { type: 'string', default: '200MB' },
      rate: { type: 'string', default: '1' },
      receivers: { type: 'string', default: '8,16' },
      only: { type: 'string', default: CASES.join(',') },
      dir: { type: 'string', default: '/dev/shm' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const factor = Number(values.rate);
  if (!(factor >= 0.01 && factor <= 100)) throw new Error('--rate wants a number from 0.01 to 100.');
  const wanted = values.only.split(',');
  const unknown = wanted.find((name) => !CASES.includes(name));
  if (unknown !== undefined) throw new Error(`--only wants some of ${CASES.join(',')}, not ${unknown}.`);
  return {
    size: bytes(values.size),
    factor,
    rates: scaled(factor),
    receivers: values.receivers.split(',').map((text) => whole(text, 'receivers')),
    cases: CASES.filter((name) => wanted.includes(name)),
    dir: values.dir,
    json: values.json,
    help: values.help,
  };
}
