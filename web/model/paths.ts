/** Which way the bytes go, in words. Pure. */
import { say } from '../words/index.ts';
import { list, percentage } from '../words/numbers.ts';

/** A lane that is open. */
export interface OpenLane {
  readonly kind: string;
  readonly relayed: boolean;
}

/** By kind: what it is called when it leads straight to the other side, and when somebody's relay is between. */
const WORDS: Readonly<Record<string, { direct?: Key; relayed?: Key }>> = {
  webrtc: { direct: 'path.webrtc', relayed: 'path.turn' },
  tcp: { direct: 'path.tcp' },
  punched: { direct: 'path.tcp' },
  udx: { direct: 'path.udp' },
  turn: { relayed: 'path.turn' },
  relay: { relayed: 'path.relay' },
};

type Key = 'path.webrtc' | 'path.tcp' | 'path.udp' | 'path.turn' | 'path.relay';

interface Way {
  readonly words: string;
  readonly relayed: boolean;
  /** Bytes a second. */
  readonly rate: number;
}

/** The ways that carry now, the one that carries most first; while nothing moves, those that are open. */
function ways(by: Readonly<Record<string, number>>, lanes: Iterable<OpenLane>): Way[] {
  const found = new Map<string, Way>();
  const open = [...lanes];
  const add = (kind: string, rate: number) => {
    // Lanes of a kind are counted together. If all of them are relayed, so are the bytes.
    const same = open.filter((lane) => lane.kind === kind);
    const known = WORDS[kind] ?? {};
    const all = same.length > 0 && same.every((lane) => lane.relayed);
    const relayed = known.direct === undefined ? known.relayed !== undefined : all;
    const key = (relayed ? known.relayed : undefined) ?? known.direct ?? known.relayed;
    const words = key === undefined ? kind : say(key);
    found.set(words, { words, relayed, rate: (found.get(words)?.rate ?? 0) + rate });
  };
  for (const { kind } of open) add(kind, 0);
  for (const [kind, rate] of Object.entries(by)) add(kind, rate);
  const all = [...found.values()];
  // A kind that carries nothing is worth a word only while no kind carries anything.
  const moves = all.some(({ rate }) => rate > 0);
  return all.filter(({ rate }) => rate > 0 || !moves).sort((a, b) => b.rate - a.rate);
}

/** @param by bytes a second by kind of lane @param lanes those that are open, for when nothing moves, and for which are relayed */
export function pathWords(by: Readonly<Record<string, number>>, lanes: Iterable<OpenLane>): string {
  const used = ways(by, lanes);
  const sum = used.reduce((total, { rate }) => total + rate, 0);
  const told = used.map(({ words, rate }) =>
    used.length > 1 && sum > 0
      ? say('path.share', { way: words, percent: percentage(Math.round((100 * rate) / sum)) })
      : words,
  );
  return list(told, 'and');
}

/** In one word, for a badge; undefined while there is no way. */
export function pathBadge(
  by: Readonly<Record<string, number>>,
  lanes: Iterable<OpenLane>,
): 'direct' | 'relayed' | 'both' | undefined {
  const used = ways(by, lanes);
  if (used.length === 0) return undefined;
  if (used.every(({ relayed }) => relayed)) return 'relayed';
  return used.some(({ relayed }) => relayed) ? 'both' : 'direct';
}
