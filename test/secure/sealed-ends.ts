/** Sealed lanes over a wire in memory, with somebody on it; and an end that knows the keys and keeps no rules. */
import { randomBytes } from 'node:crypto';
import { concat } from '../../src/base/bytes.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { sealedClient, sealedServer } from '../../src/secure/sealed/handshake.ts';
import { type LaneSecret, laneKeys, type RecordType, Sealer } from '../../src/secure/sealed/records.ts';

export type End = 'client' | 'server';
/** What somebody on the wire does with what `from` has sent. */
export type Middle = (bytes: Uint8Array, from: End, deliver: (bytes: Uint8Array, to?: End) => void) => void;

const other = { client: 'server', server: 'client' } as const;

/** Two ends; what is written to one comes out at the other a turn later. Destroying one closes both, saying nothing. */
export function wire(middle: Middle = (bytes, _from, deliver) => deliver(bytes)): Record<End, Pipe> {
  interface Owner {
    data: (bytes: Uint8Array) => void;
    closed: (error?: Error) => void;
  }
  const owners: Partial<Record<End, Owner>> = {};
  const early: Record<End, Uint8Array[]> = { client: [], server: [] };
  let dead = false;
  const make = (end: End): Pipe => ({
    kind: 'wire',
    local: end,
    remote: other[end],
    write(bytes, done) {
      const copy = bytes.slice();
      setImmediate(() => {
        if (dead) return done(new Error('dead'));
        middle(copy, end, (part, to = other[end]) => {
          const owner = owners[to];
          if (owner) owner.data(part);
          else early[to].push(part);
        });
        // What was given may be used again: whoever still looks at it sees that.
        bytes.fill(0xee);
        done();
      });
    },
    start(data, closed) {
      owners[end] = { data, closed };
      for (const bytes of early[end].splice(0)) data(bytes);
    },
    pause: () => {},
    resume: () => {},
    destroy() {
      if (dead) return;
      dead = true;
      setImmediate(() => {
        for (const owner of Object.values(owners)) owner.closed();
      });
    },
  });
  return { client: make('client'), server: make('server') };
}

export function secrets(): Record<End, LaneSecret> {
  const [a, b] = [randomBytes(32), randomBytes(32)];
  return { client: { own: a, peer: b, role: 'receiver' }, server: { own: b, peer: a, role: 'sender' } };
}

export const forever = new AbortController().signal;

/** @throws whatever an end threw */
export async function lane(ends = wire(), secret = secrets()): Promise<Record<End, Pipe>> {
  const [client, server] = await Promise.all([
    sealedClient(ends.client, secret.client, forever),
    sealedServer(ends.server, () => secret.server, forever),
  ]);
  return { client, server };
}

/** What came out of a pipe, and its end. */
export class Heard {
  readonly closed: Promise<Error | undefined>;
  readonly pipe: Pipe;
  parts: Uint8Array[] = [];
  bytes = 0;
  onData = () => {};
  #wake = () => {};

  constructor(pipe: Pipe) {
    this.pipe = pipe;
    this.closed = new Promise((resolve) => {
      pipe.start((bytes) => {
        this.parts.push(bytes.slice());
        this.bytes += bytes.length;
        this.#wake();
        this.onData();
      }, resolve);
    });
  }

  get all(): Buffer {
    return Buffer.concat(this.parts);
  }

  async until(bytes: number): Promise<void> {
    while (this.bytes < bytes)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }
}

export const write = (pipe: Pipe, bytes: Uint8Array) =>
  new Promise<void>((resolve, reject) => {
    pipe.write(bytes, (error) => (error ? reject(error) : resolve()));
  });

/** Turns of the event loop and the thread pool until nothing more happens. */
export async function settled(measure: () => number): Promise<void> {
  for (let same = 0, before = -1; same < 20; ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    same = measure() === before ? same + 1 : 0;
    before = measure();
  }
}

/** A client with the right keys that sends records as it likes. */
export async function rogue(ends = wire(), secret = secrets()) {
  const opening = sealedServer(ends.server, () => secret.server, forever);
  // Whoever expects it to fail says so later.
  opening.catch(() => {});
  const nonce = randomBytes(32);
  let heard = new Uint8Array(0);
  let told = () => {};
  ends.client.start(
    (bytes) => {
      heard = concat(heard, bytes);
      told();
    },
    () => {},
  );
  await write(ends.client, concat(Uint8Array.of(0xbe, 1), nonce));
  while (heard.length < 32)
    await new Promise<void>((resolve) => {
      told = resolve;
    });
  const keys = await laneKeys(secret.client, { client: nonce, server: heard.slice(0, 32) }, 'client');
  const sealer = new Sealer(keys.client);
  const record = async (type: RecordType, plain: Uint8Array) => {
    const { header, body } = await sealer.seal(type, plain);
    return concat(header, body);
  };
  const send = async (type: RecordType, plain: Uint8Array = new Uint8Array(0)) =>
    write(ends.client, await record(type, plain));
  return { opening, send, record, raw: ends.client };
}
