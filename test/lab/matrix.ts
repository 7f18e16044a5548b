/** What two machines behind given NATs are expected to meet over, and one transfer between them, with what carried it. */
import assert from 'node:assert/strict';
import { sameFile } from '../../bench/files.mjs';
import type { HostKind, LabHost } from '../../lab/network.ts';
import { event, type Workspace } from '../integration/workspace.ts';

/** The kind of lane that must have come up and carried; 'relay' where nothing direct is possible. */
export function expectedKind(a: HostKind, b: HostKind): 'tcp' | 'punched' | 'udx' | 'relay' {
  const either = (kind: HostKind) => a === kind || b === kind;
  const both = (...kinds: HostKind[]) => kinds.includes(a) && kinds.includes(b);
  // Nothing listens on 443 but the server.
  if (either('only-443')) return 'relay';
  if (either('open')) return 'tcp';
  if (either('ipv6-only')) return a === b ? 'punched' : 'relay';
  if (both('symmetric', 'udp-blocked') && either('symmetric')) return 'relay';
  // An early SYN is let in and refused there by the host itself: only a luckier moment would punch TCP.
  if (a === 'full-cone' && b === 'full-cone') return 'udx';
  return either('symmetric') ? 'udx' : 'punched';
}

export interface Crossing {
  /** Bytes by kind of lane, largest first. */
  carried: [kind: string, bytes: number][];
  /** Milliseconds from the receiver's first word to its first byte of a file. */
  firstByte: number;
  /** Bytes a second. */
  rate: number;
}

export interface CrossingOptions {
  work: Workspace;
  sender: LabHost;
  receiver: LabHost;
  /** For each: as it can reach it. */
  senderUrl: string;
  receiverUrl: string;
  file: string;
  /** For `--to`, a folder that is there. */
  to: string;
  /** For both. */
  flags?: readonly string[];
  limit?: string;
}

/** Sends a file through a standing server and checks that it is the same over there. */
export async function cross(options: CrossingOptions): Promise<Crossing> {
  const { work, sender, receiver, senderUrl, receiverUrl, file, to, flags = [], limit } = options;
  const send = work.start(
    ['send', file, '--no-lan', '--server', senderUrl, ...flags, ...(limit ? ['--limit', limit] : [])],
    { prefix: sender.prefix },
  );
  const { code } = await send.until('code');
  const receive = work.start(
    ['receive', String(code), '--yes', '--no-lan', '--server', receiverUrl, '--to', to, ...flags],
    { prefix: receiver.prefix },
  );
  await receive.until('state');
  const began = performance.now();
  await receive.until((line) => line.event === 'progress' && Number(line.bytes) > 0);
  const firstByte = performance.now() - began;
  const received = await receive.ends(0);
  const sent = await send.ends(0);
  assert.equal(event(received, 'done').root, event(sent, 'done').root);
  sameFile(file, `${to}/${file.slice(file.lastIndexOf('/') + 1)}`);
  const kinds = new Map<string, number>();
  for (const line of received.events)
    if (line.event === 'lane' && line.status === 'closed')
      kinds.set(String(line.kind), (kinds.get(String(line.kind)) ?? 0) + Number(line.bytes));
  const { bytes, seconds } = event(received, 'done');
  return {
    carried: [...kinds].sort((a, b) => b[1] - a[1]),
    firstByte,
    rate: Number(bytes) / Number(seconds),
  };
}

export function describeCrossing({ carried, firstByte, rate }: Crossing): string {
  const sum = carried.reduce((total, [, bytes]) => total + bytes, 0);
  const shares = carried.map(([kind, bytes]) => `${kind} ${Math.round((100 * bytes) / sum)}%`);
  return `${shares.join(', ')}; first byte ${Math.round(firstByte)} ms; ${(rate / 1e6).toFixed(0)} MB/s`;
}
