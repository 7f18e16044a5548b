/** Which way the bytes go, in words. Pure. */

/** A lane that is open. */
export interface OpenLane {
  readonly kind: string;
  readonly relayed: boolean;
}

/** By kind: what it is called when it leads straight to the other side, and when somebody's relay is between. */
const WORDS: Readonly<Record<string, { direct?: string; relayed?: string }>> = {
  webrtc: { direct: 'direct, WebRTC', relayed: 'through a TURN relay' },
  tcp: { direct: 'direct, TCP' },
  punched: { direct: 'direct, TCP' },
  udx: { direct: 'direct, UDP' },
  turn: { relayed: 'through a TURN relay' },
  relay: { relayed: "through the server's relay" },
};

/** @param by bytes a second by kind of lane @param lanes those that are open, for when nothing moves, and for which are relayed */
export function pathWords(by: Readonly<Record<string, number>>, lanes: Iterable<OpenLane>): string {
  const rates = new Map<string, number>();
  const add = (kind: string, rate: number) => {
    // Lanes of a kind are counted together. If all of them are relayed, so are the bytes.
    const same = open.filter((lane) => lane.kind === kind);
    const relayed = same.length > 0 && same.every((lane) => lane.relayed);
    const known = WORDS[kind] ?? {};
    const words = (relayed ? known.relayed : undefined) ?? known.direct ?? known.relayed ?? kind;
    rates.set(words, (rates.get(words) ?? 0) + rate);
  };
  const open = [...lanes];
  for (const { kind } of open) add(kind, 0);
  for (const [kind, rate] of Object.entries(by)) add(kind, rate);
  const sum = [...rates.values()].reduce((total, rate) => total + rate, 0);
  // A kind that carries nothing is worth a word only while no kind carries anything.
  const used = [...rates].filter(([, rate]) => rate > 0 || sum === 0).sort(([, a], [, b]) => b - a);
  const share = (rate: number) => (used.length > 1 && sum > 0 ? ` (${Math.round((100 * rate) / sum)}%)` : '');
  return used.map(([words, rate]) => words + share(rate)).join(' and ');
}
