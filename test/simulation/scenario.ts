/** What a seed makes of a run: the files, the lanes, the disk, who lies, and what befalls whom when. */
import { STREAM_WINDOW } from '../../src/base/limits.ts';
import { randomBytes, randomFrom } from '../seed.ts';
import type { Temper } from './lanes.ts';
import type { DiskTemper, SourceTemper } from './stores.ts';
import type { Chance, World } from './world.ts';

/** What a run may cost in real time. */
const MOST_CHUNKS = 150;
const MOST_BYTES = 3_000_000;

const LIES = ['fickle sender', 'garbling sender', 'garbling receiver'] as const;

export type Act = 'pause' | 'resume' | 'cancel' | 'interrupt' | 'crash' | 'retire' | 'cut';

export interface Deed {
  /** Seconds. */
  at: number;
  who: 'sender' | 'receiver';
  what: Act;
}

export type Lies = 'none' | (typeof LIES)[number];

export interface Scenario {
  chunkSize: number;
  /** What each file holds. */
  files: readonly Uint8Array[];
  /** One file whose length is open. */
  stream: boolean;
  /** Chunks past the first missing one that the sink takes; undefined: any. */
  window: number | undefined;
  /** Lanes at once. */
  lanes: number;
  /** Bytes a second that all share. */
  bottleneck: number;
  /** Lanes that die; later ones live. */
  deaths: number;
  limits: { sender: number | undefined; receiver: number | undefined };
  source: SourceTemper;
  disk: DiskTemper;
  deeds: Deed[];
  lies: Lies;
  /** A message in so many is garbled. */
  liesOneIn: number;
}

/** Sizes of trees as people have them, and as an engine's borders are. */
function sizesOf(chance: Chance, chunkSize: number): number[] {
  const odd = () =>
    chance.pick([0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 2 * chunkSize, 3 * chunkSize + 7]);
  const shape = chance.pick(['tiny', 'tiny', 'mixed', 'mixed', 'one', 'odd', 'none'] as const);
  switch (shape) {
    case 'tiny':
      return Array.from({ length: 1 + chance.below(300) }, () =>
        chance.below(Math.max(2, Math.min(400, chunkSize / 8))),
      );
    case 'mixed':
      return Array.from({ length: 1 + chance.below(30) }, () =>
        chance.chance(0.3) ? odd() : Math.floor(chance.random() ** 4 * chunkSize * 4),
      );
    case 'one':
      return [Math.floor(chance.random() * chunkSize * 24)];
    case 'odd':
      return Array.from({ length: 1 + chance.below(12) }, odd);
    case 'none':
      return chance.pick([[0], [0, 0, 0, 0]]);
  }
}

function sourceOf(chance: Chance, entries: number, stream: boolean, lies: Lies): SourceTemper {
  const changing = !stream && chance.chance(0.1) ? 1 + chance.below(3) : 0;
  return {
    read: chance.pick([
      [0, 0.001],
      [0, 0.02],
      [0.01, 0.3],
    ] as const),
    slowOneIn: chance.pick([0, 0, 20]),
    slow: chance.pick([1, 8]),
    changes: Array.from({ length: entries === 0 ? 0 : changing }, () => ({
      entry: chance.below(entries),
      at: chance.between(0, 4),
      quiet: chance.chance(0.5),
    })),
    fickle: lies === 'fickle sender',
  };
}

/** Bytes that tell files and places apart, cheaply: a piece of one long random text, or zeros. */
function content(chance: Chance, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  if (chance.chance(0.1)) return bytes;
  for (let at = 0; at < size; ) {
    const from = chance.below(TEXT.length - 1);
    const piece = TEXT.subarray(from, from + Math.min(size - at, 65_536));
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

const TEXT = randomBytes(randomFrom(1), 1 << 17);

/** What stood there before somebody worked on it. */
function earlier(chance: Chance, bytes: Uint8Array): Uint8Array {
  const old = Uint8Array.from(bytes);
  const edits = chance.pick([0, 1, 5]);
  for (let i = 0; i < edits && old.length > 0; i++) old[chance.below(old.length)]! ^= 1;
  return old;
}

function diskOf(chance: Chance, files: readonly Uint8Array[], stream: boolean): DiskTemper {
  const failing = chance.chance(0.15);
  const old = new Map<number, Uint8Array>();
  const skipped = new Set<number>();
  const updates = !stream && chance.chance(0.15);
  const skips = !stream && chance.chance(0.1);
  for (const [entry, bytes] of files.entries()) {
    if (updates && chance.chance(0.6)) old.set(entry, earlier(chance, bytes));
    if (skips && chance.chance(0.3)) skipped.add(entry);
  }
  return {
    write: chance.pick([
      [0, 0.001],
      [0, 0.03],
      [0.1, 0.6],
      [0.4, 3],
    ] as const),
    slowOneIn: chance.pick([0, 0, 3, 10]),
    slow: chance.pick([0.8, 3, 9]),
    failOneIn: failing ? chance.pick([2, 5, 15]) : 0,
    failures: failing ? 1 + chance.below(3) : 0,
    passing: chance.chance(0.8),
    commit: chance.pick([0.05, 1, 5]),
    finish: chance.pick([0, 0.1, 4]),
    finishFailures: failing && chance.chance(0.3) ? 1 : 0,
    skipped,
    old,
  };
}

function deedsOf(chance: Chance): Deed[] {
  const deeds: Deed[] = [];
  if (chance.chance(0.5)) return deeds;
  const who = () => chance.pick(['sender', 'receiver'] as const);
  for (let i = 1 + chance.below(4); i > 0; i--) {
    const at = chance.chance(0.7) ? chance.between(0, 6) : chance.between(0, 60);
    const what = chance.pick([
      'pause',
      'pause',
      'retire',
      'cut',
      'interrupt',
      'crash',
      'crash',
      'cancel',
    ] as const);
    if (what === 'cancel' && chance.chance(0.6)) continue;
    deeds.push({ at, what, who: what === 'pause' || what === 'cancel' ? who() : 'receiver' });
    // Whoever pauses is not always who goes on.
    if (what === 'pause') deeds.push({ at: at + chance.between(0, 20), what: 'resume', who: who() });
  }
  return deeds.sort((a, b) => a.at - b.at);
}

export function scenarioOf(world: World): Scenario {
  const main = world.fork('main');
  const lies: Lies = main.chance(0.8) ? 'none' : main.pick(LIES);
  const chunkSize = main.pick([256, 1024, 4096, 4096, 16_384, 65_536, 262_144]);
  const stream = main.chance(0.12);
  const tree = world.fork('tree');
  let sizes = stream ? [tree.below(chunkSize * 20)] : sizesOf(tree, chunkSize);
  // What has to be hashed takes real time.
  const most = Math.min(MOST_BYTES, MOST_CHUNKS * chunkSize);
  while (sizes.reduce((sum, size) => sum + size, 0) > most) sizes = sizes.map((size) => Math.floor(size / 2));
  const files = sizes.map((size) => content(tree, size));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const network = world.fork('network');
  /** Fast enough to be over in about that many seconds. */
  const seconds = network.pick([0.2, 2, 2, 20]);
  const limited = () => (network.chance(0.1) ? Math.max(1000, total / network.between(1, 20)) : undefined);
  return {
    chunkSize,
    files,
    stream,
    window: stream ? STREAM_WINDOW : undefined,
    lanes: 1 + network.below(5),
    bottleneck: Math.max(2000, total / seconds),
    deaths: network.chance(0.4) ? 1 + network.below(10) : 0,
    limits: { sender: limited(), receiver: limited() },
    source: sourceOf(world.fork('source'), sizes.length, stream, lies),
    disk: diskOf(world.fork('disk'), files, stream),
    deeds: deedsOf(world.fork('deeds')),
    lies,
    liesOneIn: main.pick([2, 10, 50]),
  };
}

/** A lane's temper; `mortal` ones die at some time. */
export function temperOf(chance: Chance, bottleneck: number, mortal: boolean): Temper {
  const stalls = chance.chance(0.2);
  const gone = chance.pick([0.01, 1, 15]);
  return {
    latency: chance.pick([0.0001, 0.005, 0.05, 0.3]),
    jitter: chance.pick([0, 0, 0.01, 0.2]),
    rate: bottleneck * chance.pick([0.05, 0.5, 2, 10]),
    window: chance.pick([4096, 65_536, 1_000_000]),
    stallAt: stalls ? chance.between(0, 5) : Number.POSITIVE_INFINITY,
    stallFor: chance.pick([0.3, 2, 12]),
    dieAt: mortal ? chance.pick([0.02, 0.5, 3, 10]) * chance.random() : Number.POSITIVE_INFINITY,
    notice: [chance.random() * gone, chance.random() * gone],
    lossy: chance.chance(0.5),
  };
}

/** One line for a report. */
export function describe(scenario: Scenario): string {
  const { files, disk, source, ...rest } = scenario;
  const shown = {
    ...rest,
    files: files.length,
    bytes: files.reduce((sum, bytes) => sum + bytes.length, 0),
    disk: { ...disk, skipped: disk.skipped.size, old: disk.old.size },
    source,
  };
  return JSON.stringify(shown);
}
