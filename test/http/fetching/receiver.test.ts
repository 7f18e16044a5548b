/** The engine alone: servers that are made up, and a store that says when it is done. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { realClock } from '../../../src/base/clock.ts';
import { BeelineError, fault } from '../../../src/base/errors.ts';
import type { Answer, Client } from '../../../src/http/fetching/client.ts';
import { Mirror } from '../../../src/http/fetching/mirror.ts';
import { HttpReceiver } from '../../../src/http/fetching/receiver.ts';
import { placeOf } from '../../../src/http/fetching/url.ts';
import { platform } from '../../../src/node/platform.ts';
import type { Extent } from '../../../src/offer/space.ts';
import type { Sink } from '../../../src/sync/ports.ts';
import { content } from './servers.ts';

type Headers = Record<string, string | undefined>;
type Reply = { status: number; headers: Headers; body?: Uint8Array };

/** Bytes of a piece as it comes from a socket. */
const PIECE = 70_000;

/** The buffer in which bytes come is another's as soon as they were taken: it is overwritten at once. */
function answerOf(url: URL, { status, headers, body = new Uint8Array() }: Reply): Answer {
  let over = false;
  return {
    url,
    status,
    header: (name) => headers[name],
    async read(take) {
      for (let at = 0; at < body.length; at += PIECE) {
        const bytes = Buffer.from(body.subarray(at, at + PIECE));
        const taken = take(bytes);
        bytes.fill(0xdd);
        await taken;
        await new Promise(setImmediate);
        if (over) throw new BeelineError('CANCELLED', 'closed');
      }
    },
    close: () => {
      over = true;
    },
  };
}

function clientOf(reply: (url: URL, headers: Headers) => Reply): {
  client: Client;
  asked: [string, Headers][];
} {
  const asked: [string, Headers][] = [];
  const get = async (url: URL, headers: Headers) => {
    asked.push([url.href, headers]);
    return answerOf(url, reply(url, headers));
  };
  return { client: { get } as unknown as Client, asked };
}

/** Keeps what it is given in memory, and takes its time. */
class SlowSink implements Sink {
  readonly window = 2;
  readonly bytes: Buffer;
  failures = 0;
  finished = false;

  constructor(length: number) {
    this.bytes = Buffer.alloc(length);
  }

  async open(): Promise<void> {}
  wants = () => true;
  async write(_: number, extents: readonly Extent[], data: Uint8Array | undefined): Promise<void> {
    await new Promise((done) => setTimeout(done, 3));
    for (const { offset, length, at } of extents)
      if (data) this.bytes.set(data.subarray(at, at + length), offset);
  }
  async drop(): Promise<void> {}
  async finish(): Promise<void> {
    this.finished = true;
  }
  digests = async () => new Map<number, string>();
  async close(): Promise<void> {}
}

function run(client: Client, url: string, sink: Sink): Promise<void> {
  return new Promise((resolve, reject) => {
    const engine = new HttpReceiver({
      wanted: [{ places: [placeOf(url)] }],
      client,
      lanes: undefined,
      patience: 0,
      nameless: false,
      version: async () => '',
      events: { met() {}, up() {}, down() {}, lane() {}, warn() {} },
      ports: {
        ...platform,
        clock: realClock,
        limit: undefined,
        awaits() {},
        open: async () => sink,
        progress() {},
        gone() {},
        resumed() {},
        kept() {},
        stalled: () => false,
        complete: () => void engine.stop().then(resolve),
        fail: (error) => void engine.stop().then(() => reject(error)),
      },
    });
    void engine.begin();
  });
}

test('what cannot be taken at once is copied: its buffer is used again', async () => {
  const body = content(3, 12 * 1024 * 1024 + 99);
  const headers = { etag: '"a"', 'content-length': String(body.length) };
  const { client } = clientOf(() => ({ status: 200, headers, body }));
  const sink = new SlowSink(body.length);
  await run(client, 'https://example.org/a', sink);
  assert.ok(sink.finished);
  assert.ok(sink.bytes.equals(body));
});

test('protects from: downgrade: a redirect from https to http is not followed', async () => {
  const { client, asked } = clientOf(() => ({ status: 301, headers: { location: 'http://example.org/a' } }));
  await assert.rejects(
    run(client, 'https://example.org/a', new SlowSink(0)),
    (error: BeelineError) => error.reason === 'HTTP_DOWNGRADE',
  );
  assert.equal(asked.length, 1);
});

test('credentials that a redirect brings along are not used, and ours do not leave their origin', async () => {
  const body = content(3, 10);
  const { client, asked } = clientOf((url) =>
    url.host === 'example.org'
      ? { status: 302, headers: { location: 'https://you:theirs@example.net/b#c' } }
      : { status: 200, headers: { 'content-length': '10' }, body },
  );
  await run(client, 'https://me:ours@example.org/a', new SlowSink(10));
  assert.deepEqual(
    asked.map(([url, { authorization }]) => [url, authorization]),
    [
      ['https://example.org/a', `Basic ${Buffer.from('me:ours').toString('base64')}`],
      ['https://example.net/b', undefined],
    ],
  );
});

test('where a redirect led to is asked again, and the first place if that is gone', async () => {
  const signal = new AbortController().signal;
  let moved = 'https://example.net/1';
  const { client, asked } = clientOf((url) => {
    if (url.host === 'example.org') return { status: 302, headers: { location: moved } };
    return url.href === moved ? { status: 206, headers: {} } : { status: 403, headers: {} };
  });
  const mirror = new Mirror(placeOf('https://example.org/a'), 1);
  await mirror.ask(client, signal, 0);
  await mirror.ask(client, signal, 5);
  moved = 'https://example.net/2';
  await mirror.ask(client, signal, 9);
  const at = asked.map(([url]) => new URL(url).host + new URL(url).pathname);
  assert.deepEqual(at, [
    ...['example.org/a', 'example.net/1', 'example.net/1'],
    ...['example.net/1', 'example.org/a', 'example.net/2'],
  ]);
});

test('a server that is not there at the beginning is an error at once, and one that refuses says why', async () => {
  const away = { get: async () => Promise.reject(fault('HTTP_AWAY', { host: 'x', why: 'y' })) };
  await assert.rejects(
    run(away as unknown as Client, 'https://example.org/a', new SlowSink(0)),
    (error: BeelineError) => error.reason === 'HTTP_AWAY',
  );
});
