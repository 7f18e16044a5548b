/**
 * A sender made of the project's own pieces that is met and proven like a real one, while every word it says on a
 * lane is in the hands of a test. Loopback only.
 */

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { TestContext } from 'node:test';
import { realClock } from '../../src/base/clock.ts';
import { BLOCK_BYTES, PROTOCOL_VERSION } from '../../src/base/limits.ts';
import { makeCertificate } from '../../src/identity/certificate.ts';
import { fromCode } from '../../src/identity/secret.ts';
import { Lane } from '../../src/lanes/lane.ts';
import { localMailbox, type Mailbox } from '../../src/meeting/mailbox.ts';
import { type Entry, encodePages, type OfferHeader } from '../../src/offer/manifest.ts';
import { ByteSpace } from '../../src/offer/space.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { laneContext } from '../../src/secure/tls.ts';
import { createRendezvous } from '../../src/server/rendezvous.ts';
import { Guesses } from '../../src/session/guesses.ts';
import { Handshake } from '../../src/session/handshake.ts';
import { listen } from '../../src/transports/tcp/listen.ts';
import type { BlockRange, BlocksHeader, Message } from '../../src/wire/messages.ts';
import { helloOf } from '../hello.ts';

export const CODE = '7-velvet-canyon';
export const CHUNK = 1024 * 1024;

/** What it says. Each hook replaces the honest answer; without any, it is an honest sender of `entries`. */
export interface Script {
  entries?: readonly Entry[];
  /** Changes to the honest offer. */
  offer?: Partial<OfferHeader>;
  /** Instead of the encoding of `entries`. */
  pages?: Uint8Array[];
  /** Bytes of a chunk; default: 0x61, as many as its place has. */
  data?: (chunk: number, length: number) => Uint8Array;
  /** Program and version in its hello. */
  agent?: string;
  /** Takes a lane over before it is one: nothing else is said on it. */
  pipe?: (pipe: Pipe) => void;
  /** A lane is up; instead of the offer. `honest` says the offer. */
  lane?: (lane: Lane, honest: () => void) => void;
  /** Before each answer; false: it is not answered. */
  answer?: (lane: Lane, message: Message) => boolean | undefined;
}

export interface BadSender {
  readonly port: number;
  /** `--at` of the receiver. */
  readonly at: string;
  readonly lanes: readonly Lane[];
}

export const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();

export function offerOf(entries: readonly Entry[], pages: number, more: Partial<OfferHeader> = {}): Message {
  const bytes = entries.reduce((sum, { size }) => sum + size, 0);
  const fixed = {
    version: PROTOCOL_VERSION,
    kind: 'files' as const,
    chunkSize: CHUNK,
    hash: 'sha256' as const,
    sha256: false,
    update: false,
  };
  return { type: 'offer', ...fixed, entries: entries.length, pages, bytes, ...more };
}

/** All blocks that so many bytes make. */
export function allBlocks(index: number, bytes: number): BlockRange {
  return { index, from: 0, to: Math.max(1, Math.ceil(bytes / BLOCK_BYTES)) };
}

/** Sends blocks of a chunk whose data is this, as it is told to, right or wrong. */
export function sendBlocks(
  lane: Lane,
  { index, from, to }: BlockRange,
  chunk: Uint8Array,
  more: Partial<BlocksHeader> = {},
): void {
  const offset = from * BLOCK_BYTES;
  const data = more.form === 'zeros' ? new Uint8Array(0) : chunk.subarray(offset, to * BLOCK_BYTES);
  const header = { type: 'blocks' as const, index, length: chunk.length, form: 'data' as const, offset };
  lane.send({ ...header, hash: sha256(chunk), bytes: data.length, data, ...more }).catch(() => {});
}

/** Hosts its own rendezvous until the test ends. */
export async function badSender(t: TestContext, script: Script): Promise<BadSender> {
  const { entries = [] } = script;
  const pages = script.pages ?? encodePages(entries);
  const offer = offerOf(entries, pages.length, script.offer);
  const certificate = await makeCertificate();
  const rendezvous = createRendezvous();
  const http = createServer();
  rendezvous.handle(http);
  const lanes: Lane[] = [];
  let pin = '';
  const closeAll = () => {
    for (const lane of lanes) lane.close();
  };

  const answer = (lane: Lane, message: Message): void => {
    const honest = script.answer?.(lane, message) !== false;
    // As the honest do. Who does not costs the receiver 3 s: test/session/last-word.test.ts has that, and no other test waits for it.
    if (message.type === 'status' && (message.state === 'failed' || message.state === 'cancelled'))
      return closeAll();
    if (!honest) return;
    const tell = (said: Message) => void lane.send(said).catch(() => {});
    if (message.type === 'get-page')
      tell({ type: 'page', page: message.page, bytes: pages[message.page] ?? new Uint8Array(0) });
    if (message.type === 'get' || message.type === 'get-hash') {
      const sizes = entries.map(({ size }) => size);
      const space = new ByteSpace(sizes, CHUNK, script.offer?.kind === 'stream');
      const data = (chunk: number) => {
        const length = space.length(chunk);
        return script.data?.(chunk, length) ?? new Uint8Array(length).fill(0x61);
      };
      if (message.type === 'get')
        for (const range of message.ranges) sendBlocks(lane, range, data(range.index));
      else
        for (const index of message.chunks)
          tell({ type: 'hash', index, length: space.length(index), hash: sha256(data(index)) });
    }
    // A liar has no reason to compute anything: it agrees with whatever root it is told.
    if (message.type === 'finish') tell({ type: 'finished', root: message.root, started: 0, ended: 0 });
  };

  const open = (pipe: Pipe): void => {
    if (script.pipe) return script.pipe(pipe);
    const lane = new Lane(
      lanes.length + 1,
      pipe,
      {
        message: answer,
        land: () => {
          throw new Error('a receiver sent blocks');
        },
        closed: () => {},
      },
      realClock,
    );
    lanes.push(lane);
    lane.start();
    const honest = () => void lane.send(offer).catch(() => {});
    if (script.lane) script.lane(lane, honest);
    else honest();
  };

  const pipes = new Set<Pipe>();
  const listener = await listen({
    host: '127.0.0.1',
    context: laneContext(certificate.cert, certificate.key),
    onPipe: (pipe, fingerprint) => {
      pipes.add(pipe);
      if (fingerprint === pin) open(pipe);
      else pipe.destroy();
    },
    onOther: (socket) => void http.emit('connection', socket),
  });
  let mailbox: Mailbox | undefined;
  let guest = 0;
  const handshake = new Handshake({
    ...{ guesses: new Guesses(1), admit: () => true },
    role: 'sender',
    secret: fromCode({ nameplate: '7', password: 'velvet-canyon' }),
    hello: () =>
      helloOf({
        fingerprint: certificate.fingerprint,
        transports: { tcp: { at: [`127.0.0.1:${listener.port}`] } },
        ...(script.agent !== undefined && { agent: script.agent }),
      }),
    send: (body) => mailbox?.send(body, guest),
    onWord: () => {},
    onHello: (hello) => {
      pin = hello.fingerprint;
    },
    onFail: () => {},
  });
  mailbox = await localMailbox(rendezvous, {
    role: 'host',
    nameplate: '7',
    deadline: 5000,
    onMessage: (body) => handshake.receive(body),
    onPeer: (present, who) => {
      if (!present) return;
      guest = who;
      handshake.peerAppeared();
    },
    onLost: () => {},
  });
  t.after(async () => {
    closeAll();
    for (const pipe of pipes) pipe.destroy();
    mailbox?.close();
    await rendezvous.close();
    await listener.close();
  });
  return { port: listener.port, at: `127.0.0.1:${listener.port}`, lanes };
}
