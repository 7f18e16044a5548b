/** Which way the bytes go, in words. Pure. */
const WORDS: Readonly<Record<string, string>> = {
  webrtc: 'direct, WebRTC',
  tcp: 'direct, TCP',
  punched: 'direct, TCP',
  udx: 'direct, UDP',
  turn: 'through a TURN relay',
  relay: "through the server's relay",
};

/** @param by bytes a second by kind of lane @param lanes kinds of the lanes that are open, for when nothing moves */
export function pathWords(by: Readonly<Record<string, number>>, lanes: Iterable<string>): string {
  const rates = new Map<string, number>();
  const add = (kind: string, rate: number) => {
    const words = WORDS[kind] ?? kind;
    rates.set(words, (rates.get(words) ?? 0) + rate);
  };
  const kinds = new Set(lanes);
  // WebRTC's lanes are counted together: where each goes through a TURN server, so do the bytes.
  const turned = kinds.has('turn') && !kinds.has('webrtc');
  for (const kind of kinds) add(kind, 0);
  for (const [kind, rate] of Object.entries(by)) add(kind === 'webrtc' && turned ? 'turn' : kind, rate);
  const sum = [...rates.values()].reduce((total, rate) => total + rate, 0);
  // A kind that carries nothing is worth a word only while no kind carries anything.
  const used = [...rates].filter(([, rate]) => rate > 0 || sum === 0).sort(([, a], [, b]) => b - a);
  const share = (rate: number) => (used.length > 1 && sum > 0 ? ` (${Math.round((100 * rate) / sum)}%)` : '');
  return used.map(([words, rate]) => words + share(rate)).join(' and ');
}
