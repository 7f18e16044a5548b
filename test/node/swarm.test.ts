/** Receivers of one offer over loopback, who are introduced to each other and help each other. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { ReceiveOptions, SendOptions, Transfer, TransferEvent } from '../../src/node/api.ts';
import { StagingSink } from '../../src/node/files/staging-sink.ts';
import { randomBytes, randomFrom, seed } from '../seed.ts';
import { folder, start } from './meeting.ts';

const LIMIT = { timeout: 120_000 };
const SIZE = 12e6;
const random = randomFrom(seed);

type Gate = { opened: Promise<void>; open: () => void };

function gate(): Gate {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

class HeldSink extends StagingSink {
  readonly #opened: Promise<void>;
  #left: number;

  constructor(options: ConstructorParameters<typeof StagingSink>[0], most: number, opened: Promise<void>) {
    super(options);
    this.#left = most;
    this.#opened = opened;
  }

  override async write(...chunk: Parameters<StagingSink['write']>): Promise<void> {
    if (this.#left-- <= 0) await this.#opened;
    return super.write(...chunk);
  }
}

async function offer(t: TestContext, options: SendOptions, size = SIZE) {
  const dir = folder(t);
  const content = randomBytes(random, size);
  writeFileSync(join(dir, 'data.bin'), content);
  const { sender, join: receiver } = await start(join(dir, 'data.bin'), options);
  let sent = 0;
  sender.subscribe((event) => {
    if (event.event === 'lane' && event.status === 'closed') sent += event.bytes!;
  });
  const receive = (to: string, more: Partial<ReceiveOptions> = {}) => {
    const transfer = receiver({ to: join(dir, to), ...more });
    const swarm: Extract<TransferEvent, { event: 'swarm' }>[] = [];
    transfer.subscribe((event) => {
      if (event.event === 'swarm') swarm.push(event);
    });
    return { transfer, swarm };
  };
  const check = (to: string) => {
    assert.ok(content.equals(readFileSync(join(dir, to, 'data.bin'))));
    assert.deepEqual(readdirSync(join(dir, to)), ['data.bin']);
  };
  const placed = (to: string) => {
    const path = join(dir, to, 'data.bin');
    return existsSync(path) && content.equals(readFileSync(path));
  };
  /** Receives into the same folder, and writes no more than so many chunks until the gate is open. */
  const held = (to: string, most: number, { opened }: Gate) => ({
    store: () => new HeldSink({ to: join(dir, to), overwrite: 'ask', onWarning: () => {} }, most, opened),
  });
  return { sender, receive, check, placed, held, sent: () => sent };
}

async function all(...transfers: Transfer[]): Promise<void> {
  await Promise.all(transfers.map(({ done }) => done));
  await Promise.all(transfers.map(({ closed }) => closed));
}

test(
  'three receivers fetch from each other, and the sender sends much less than three times',
  LIMIT,
  async (t) => {
    const { sender, receive, check, sent } = await offer(t, { receivers: 3, limit: 3e6 });
    const three = ['a', 'b', 'c'].map((to) => receive(to));
    await all(sender, ...three.map(({ transfer }) => transfer));
    for (const to of ['a', 'b', 'c']) check(to);
    assert.ok(sent() < 2.3 * SIZE, `${(sent() / SIZE).toFixed(2)} times the size`);
    const down = three.reduce((sum, { swarm }) => sum + (swarm.at(-1)?.down ?? 0), 0);
    assert.ok(down > 0.7 * SIZE, `${(down / SIZE).toFixed(2)} times the size between receivers`);
    assert.ok(three.some(({ swarm }) => swarm.some(({ from }) => from > 0)));
    assert.ok(three.some(({ swarm }) => swarm.some(({ to }) => to > 0)));
  },
);

test('nobody is introduced who does not share, or by a sender that was told not to', LIMIT, async (t) => {
  for (const [sending, receiving] of [
    [{ swarm: false }, [{}, {}]],
    [{}, [{ share: false }, {}]],
    [{}, [{ share: false }, { share: false }]],
  ] as [SendOptions, Partial<ReceiveOptions>[]][]) {
    const { sender, receive, check, sent } = await offer(t, { receivers: 2, ...sending });
    const two = receiving.map((options, at) => receive(`${at}`, options));
    await all(sender, ...two.map(({ transfer }) => transfer));
    assert.deepEqual(
      two.map(({ swarm }) => swarm),
      [[], []],
    );
    assert.ok(sent() > 2 * SIZE);
    check('0');
    check('1');
  }
});

test(
  'a receiver that has everything is done, and serves on until others have it, or it is told to end',
  LIMIT,
  async (t) => {
    const { sender, receive, check, placed, held } = await offer(t, { receivers: 4, limit: 2e6 }, 6e6);
    const stop = new AbortController();
    // The first one is not done before the slow one is linked, nor the slow one before all has been looked at.
    const [linked, looked] = [gate(), gate()];
    const slow = receive('slow', { limit: 6e5, ...held('slow', 5, looked) });
    const waits = receive('a', held('a', 4, linked));
    slow.transfer.subscribe((event) => event.event === 'swarm' && linked.open());
    await linked.opened;
    const [cancelled, interrupted] = [receive('b'), receive('c', { signal: stop.signal })];
    let over = false;
    void slow.transfer.done.then(() => {
      over = true;
    });
    // A receiver says that it has everything when its files are in place; that it is done, it hears from the sender later.
    const ends = [waits, cancelled, interrupted].map(async ({ transfer }) => {
      await transfer.closed;
      return placed('slow');
    });
    await Promise.all([waits, cancelled, interrupted].map(({ transfer }) => transfer.done));
    for (const to of ['a', 'b', 'c']) check(to);
    assert.ok(!over && slow.swarm.length > 0, 'the slow one is linked, and still at it');
    cancelled.transfer.cancel();
    stop.abort();
    assert.deepEqual(await Promise.all(ends.slice(1)), [false, false]);
    looked.open();
    await all(sender, slow.transfer);
    check('slow');
    assert.equal(await ends[0], true);
    for (const to of ['a', 'b', 'c']) check(to);
  },
);
