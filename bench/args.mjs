/** Command-line arguments of the benchmark. */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';

export const HELP = `npm run bench -- [--size 1GiB] [--rounds 5] [--files 10000] [--file-size 4KiB]
                 [--dir FOLDER] [--lanes N] [--only big|small] [--json FILE]

Moves one file of random data, then a tree of small ones, over loopback: Beeline command to command, beside scp,
a raw TLS pump and rsync, in turn, and prints medians and ratios. Every delivery is compared byte by byte.
Exit status: 0 when every transfer worked and was identical, whatever the figures; 1 otherwise.`;

const UNITS = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Bytes of `64MiB` and the like. Throws on anything else. */
export function bytes(text) {
  const match = /^(\d+)(KiB|MiB|GiB|)$/.exec(text);
  if (!match) throw new Error(`${text} is not a size: write a number, or one with KiB, MiB or GiB after it.`);
  return Number(match[1]) * UNITS[match[2]];
}

function whole(text, name) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} wants a whole number above 0.`);
  return value;
}

export function readArguments(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      size: { type: 'string', default: '1GiB' },
      rounds: { type: 'string', default: '5' },
      files: { type: 'string', default: '10000' },
      'file-size': { type: 'string', default: '4KiB' },
      dir: { type: 'string', default: tmpdir() },
      lanes: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.only !== undefined && !['big', 'small'].includes(values.only))
    throw new Error('--only wants big or small.');
  return {
    size: bytes(values.size),
    rounds: whole(values.rounds, 'rounds'),
    files: whole(values.files, 'files'),
    fileSize: bytes(values['file-size']),
    dir: values.dir,
    lanes: values.lanes === undefined ? undefined : whole(values.lanes, 'lanes'),
    only: values.only,
    json: values.json,
    help: values.help,
  };
}
