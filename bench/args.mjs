/** Command-line arguments of the benchmark. */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';

export const PARTS = ['start', 'big', 'small', 'trees', 'resume', 'update', 'sync', 'threads'];

export const HELP = `npm run bench -- [--size 1GiB] [--rounds 5] [--files 10000] [--file-size 4KiB] [--tree-files 200000]
                 [--resume-size 100GiB] [--dir FOLDER] [--disk FOLDER] [--lanes N]
                 [--only ${PARTS.join('|')}] [--json FILE]

Over loopback, in turn, with medians and ratios; every delivery is compared byte by byte:
  start   a file of one byte, with CPU on both sides, beside Node alone; and two machines that meet by mDNS
          (namespaces; needs root): how soon the first bytes are there
  big     one file of random data: Beeline command to command, scp, a raw TLS pump
  small   a tree of small files (--files of --file-size): Beeline, rsync, tar over ssh
  trees   trees of a quarter, half and all of --tree-files files of 1 KiB: Beeline, rsync; time to the code, memory
  resume  a file with holes (--resume-size; 100GiB takes minutes) killed at 90 %, random data (--size) at 50 %,
          received again: how soon it goes on, what was kept and lost. Of the holes it compares only what is none.
  update  a tenth of --files and a file of a quarter of --size sent, changed by a hundredth, and sent with --update
  sync    the same file and tree with syncing and without, in --dir and, if that is another file system, in --disk
  threads CPU of the busiest thread of each side with 0, 1, 2, 4 and 8 threads, and what that lets a larger machine do;
          the two find each other by multicast
Both folders are the one for temporary files by default.
Exit status: 0 when every transfer worked and was identical, whatever the figures; 1 otherwise.`;

const UNITS = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, MB: 1e6 };
/** Bytes; a smaller file is through before it can be killed. */
const MIN_RESUME = 512 * 2 ** 20;

/** Bytes of `64MiB` and the like. Throws on anything else. */
export function bytes(text) {
  const match = /^(\d+)(KiB|MiB|GiB|MB|)$/.exec(text);
  if (!match)
    throw new Error(`${text} is not a size: write a number, or one with KiB, MiB, GiB or MB after it.`);
  return Number(match[1]) * UNITS[match[2]];
}

export function whole(text, name) {
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
      'tree-files': { type: 'string', default: '200000' },
      'resume-size': { type: 'string', default: '100GiB' },
      disk: { type: 'string', default: tmpdir() },
      dir: { type: 'string', default: tmpdir() },
      lanes: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.only !== undefined && !PARTS.includes(values.only))
    throw new Error(`--only wants ${PARTS.join(', ')}.`);
  const resumeSize = bytes(values['resume-size']);
  if (resumeSize < MIN_RESUME) throw new Error('--resume-size wants at least 512MiB.');
  return {
    size: bytes(values.size),
    rounds: whole(values.rounds, 'rounds'),
    files: whole(values.files, 'files'),
    fileSize: bytes(values['file-size']),
    treeFiles: whole(values['tree-files'], 'tree-files'),
    resumeSize,
    dir: values.dir,
    disk: values.disk,
    lanes: values.lanes === undefined ? undefined : whole(values.lanes, 'lanes'),
    only: values.only,
    json: values.json,
    help: values.help,
  };
}
