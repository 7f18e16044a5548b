/**
 * Seeds that found something, and what: they are run with every test. A seed keeps its meaning as long as scenario.ts draws
 * in the same order within its part.
 */
export interface Found {
  seed: number;
  what: string;
}

export const FOUND: readonly Found[] = [
  {
    seed: 52,
    what: 'a chunk that takes long to write came again, and was written while it was being written',
  },
  { seed: 54, what: 'the same; `finish` then began before it was down, and progress counted it twice' },
  { seed: 1, what: 'at the end of a stream a chunk past its end was asked for on a second lane' },
  {
    seed: 60,
    what: 'after a full disk the sender counted from zero again, and said that nothing had been sent',
  },
  { seed: 214, what: 'a file that two reads found changed at once was declared gone twice' },
  { seed: 632, what: 'a file that was gone before the manifest came was told of without its name' },
  { seed: 138, what: 'a disk was begun anew while a second copy of a chunk was being written to it' },
  { seed: 17, what: 'a stream to a slow disk hung: nobody said what was written once it was' },
  { seed: 235, what: 'a chunk was read to be compared though it was down' },
  {
    seed: 201,
    what: 'zeros answered ranges that a limit had not let out yet, which were then answered again',
  },
  { seed: 49, what: 'the same, and it never ended' },
  { seed: 99, what: 'with a limit, ranges came in another order than they were claimed in: PROTOCOL' },
  { seed: 462, what: 'the same over a single lane' },
  { seed: 4632, what: 'what a limit held back was asked for after a failed write had made all begin anew' },
  { seed: 8728, what: 'how much of a stream had come was told on a lane that died, and not again' },
  {
    seed: 2150,
    what: 'blocks past the end of a stream were still to be asked for, and nothing was: blocks -1 of its last chunk',
  },
  {
    seed: 281,
    what: 'a full disk while a file that was gone was told to a sink just opened: what was not there began anew',
  },
  {
    seed: 1_210_713_356,
    what: 'a chunk asked for twice, of a file that had changed since: other roots though all was there',
  },
  {
    seed: 77_000_455,
    what: 'a disk that failed, and again at the end that was under way meanwhile: nobody began anew',
  },
  { seed: 2529, what: 'a file that went away made its chunk another one on its way' },
];

/** The same of the world of sessions.ts. */
export const FOUND_BY_SESSIONS: readonly Found[] = [
  {
    seed: 12_456,
    what: "a stream's end that came with its offer left a lane waiting for blocks past it, for ever",
  },
  { seed: 50_288, what: 'the same: blocks past the end were still asked for, of the last chunk' },
];

/** By swarms. */
export const FOUND_BY_SWARM = [
  { seed: 1016, what: 'a chunk that a holder had brought was begun again when that holder left' },
  { seed: 1422, what: 'a holder that lacked a chunk for a moment answered what had been given up' },
  {
    seed: 1471,
    what: 'a liar was asked for a chunk that does not exist, and so was the origin for its hash',
  },
  {
    seed: 520,
    what: 'a lane that owed only what had come hid a silent one from those that had nothing to do',
  },
  { seed: 363, what: 'an honest member was taken for a silent one, since all of them were slow' },
  { seed: 2417, what: 'the same of one that owed only what had come meanwhile' },
  {
    seed: 997,
    what: 'as the disk failed and lanes closed for it, `finish` began with what had been down before',
  },
  { seed: 1606, what: 'a chunk that was compared and differed was left to holders who were never asked' },
] as const;
