/** A proven but hostile sender that sends something else than what was accepted, or more of it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { MAX_TEXT } from '../../src/base/limits.ts';
import type { Lane } from '../../src/lanes/lane.ts';
import { encodePages, type OfferHeader } from '../../src/offer/manifest.ts';
import { Sink as Output } from '../cli/fakes.ts';
import { file } from '../node/files/helpers.ts';
import { allBlocks, CHUNK, offerOf, type Script, sendBlocks } from './bad-sender.ts';
import { assertConfined, each, ending, LIMIT, meet, tree, world } from './world.ts';

test('protects from: an accepted list that differs from what is then sent', LIMIT, async (t) => {
  const accepted = [file('a', CHUNK), file('b', CHUNK)];
  const others = [file('evil', CHUNK), file('b', CHUNK)];
  const more = [...accepted, file('evil', CHUNK)];
  const roots = new Set<string>();
  // How the sender tries, once the list is accepted; and how it ends.
  const tries: Record<string, [(lane: Lane) => void, string]> = {
    'an offer of more': [(lane) => void lane.send(offerOf(more, 1)), 'BAD_MANIFEST'],
    'an offer of another kind': [
      (lane) => void lane.send(offerOf(accepted, 1, { kind: 'stream' })),
      'BAD_MANIFEST',
    ],
    'an offer in other chunks': [
      (lane) => void lane.send(offerOf(accepted, 1, { chunkSize: 2 * CHUNK })),
      'BAD_MANIFEST',
    ],
    'an offer of more pages': [(lane) => void lane.send(offerOf(accepted, 2)), 'BAD_MANIFEST'],
    // What says nothing new is not looked at.
    'an offer of other bytes': [(lane) => void lane.send(offerOf(accepted, 1, { bytes: 5 })), ''],
    'another page': [(lane) => void lane.send({ type: 'page', page: 0, bytes: encodePages(others)[0]! }), ''],
    'a page more': [
      (lane) => void lane.send({ type: 'page', page: 1, bytes: encodePages(others)[0]! }),
      'PROTOCOL',
    ],
  };
  await each(Object.entries(tries), async ([what, [say, expected]]) => {
    for (const where of ['the same lane', 'another lane', 'a new lane'] as const) {
      const place = world(t);
      let [ups, said, asked] = [0, false, 0];
      const script: Script = {
        entries: accepted,
        lane: (lane, honest) => {
          honest();
          // A lane that comes after all the others were lost.
          if (where === 'a new lane' && ++ups === 2) say(lane);
        },
        answer: (lane, message) => {
          if (message.type !== 'get') return true;
          if (said) return true;
          said = true;
          const [first, second] = sender.lanes;
          if (where === 'a new lane') lane.close();
          else say(where === 'another lane' ? (lane === first ? second! : first!) : lane);
          return where !== 'a new lane';
        },
      };
      const accept = async () => {
        asked++;
        while (where === 'another lane' && sender.lanes.length < 2)
          await new Promise((r) => setTimeout(r, 5));
        return true;
      };
      const lanes = where === 'another lane' ? 2 : 1;
      const { sender, receiver } = await meet(t, script, { to: place.to, accept, lanes });
      const code = await ending(receiver);
      assert.equal(code, expected, `${what} on ${where}`);
      assert.equal(asked, 1);
      const there = Object.keys(tree(place.to));
      assert.deepEqual(
        there,
        there.filter((name) => name === 'a' || name === 'b'),
        `${what} on ${where}`,
      );
      if (code !== '') continue;
      assert.deepEqual(there, ['a', 'b']);
      roots.add((await receiver.done).root);
    }
  });
  assert.equal(roots.size, 1, 'what was said later is in the root');
});

/** A whole chunk of so many zero bytes, as data. */
const send = (lane: Lane, index: number, bytes: number) =>
  sendBlocks(lane, allBlocks(index, bytes), new Uint8Array(bytes));

test('protects from: more bytes than announced', LIMIT, async (t) => {
  const entries = [file('a', 1000), file('b', CHUNK), file('c', 1000)];
  // What is said when a chunk is asked for.
  const tries: Record<string, [number, (lane: Lane) => void]> = {
    'a chunk longer than its place': [0, (lane) => send(lane, 0, 1001)],
    'a chunk as long as a chunk': [0, (lane) => send(lane, 0, CHUNK)],
    'a chunk longer than a chunk': [1, (lane) => send(lane, 1, CHUNK + 1)],
    'a chunk of four times the size': [1, (lane) => send(lane, 1, 4 * CHUNK)],
    'blocks behind those that were asked for': [
      1,
      (lane) => sendBlocks(lane, { index: 1, from: 0, to: 64 }, new Uint8Array(CHUNK)),
    ],
    'blocks out of their order': [
      1,
      (lane) => sendBlocks(lane, { index: 1, from: 1, to: 2 }, new Uint8Array(CHUNK)),
    ],
    'zeros longer than their place': [
      0,
      (lane) => sendBlocks(lane, allBlocks(0, 1), new Uint8Array(4 * CHUNK), { form: 'zeros' }),
    ],
    'a chunk behind the end': [0, (lane) => send(lane, 3, 1000)],
    'a chunk far behind the end': [0, (lane) => send(lane, 2 ** 52, 1000)],
    'a chunk twice': [
      0,
      (lane) => {
        send(lane, 0, 1000);
        send(lane, 0, 1000);
      },
    ],
  };
  await each(Object.entries(tries), async ([what, [chunk, say]]) => {
    const place = world(t);
    const script: Script = {
      entries,
      answer: (lane, message) => {
        if (message.type === 'get' && message.ranges.some(({ index }) => index === chunk)) say(lane);
        return message.type !== 'get';
      },
    };
    const { receiver } = await meet(t, script, { to: place.to, lanes: 1 });
    assert.equal(await ending(receiver), 'PROTOCOL', what);
    assertConfined(place, true);
    for (const content of Object.values(tree(place.to))) assert.ok(content.length <= 1000, what);
  });
});

test('protects from: a stream or a text that goes on', LIMIT, async (t) => {
  const streams: Record<string, (lane: Lane) => void> = {
    'past its end': (lane) => {
      send(lane, 0, 1000);
      send(lane, 1, 1000);
    },
    'with two ends': (lane) => {
      send(lane, 0, 1000);
      void lane.send(offerOf([file('s')], 1, { kind: 'stream', bytes: 2000 }));
    },
    'beyond its window': (lane) => send(lane, 100, CHUNK),
  };
  await each(Object.entries(streams), async ([what, say]) => {
    for (const to of ['-', 'folder']) {
      const place = world(t);
      const stdout = new Output();
      const script: Script = {
        entries: [file('s')],
        offer: { kind: 'stream', bytes: undefined },
        answer: (lane, message) => {
          if (message.type === 'get' && message.ranges[0]?.from === 0) say(lane);
          return message.type !== 'get';
        },
      };
      const options = { to: to === '-' ? '-' : place.to, stdout, lanes: 1 };
      const { receiver } = await meet(t, script, options);
      const code = await ending(receiver);
      assert.equal(code, 'PROTOCOL', `${what} to ${to}`);
      assert.ok(stdout.text.length <= 1000);
      assert.deepEqual(tree(place.to), {});
    }
  });
  const texts: [number, Partial<OfferHeader>, string][] = [
    [MAX_TEXT + 1, {}, 'BAD_MANIFEST'],
    [2 ** 40, {}, 'BAD_MANIFEST'],
    [10, { bytes: 9 }, 'BAD_MANIFEST'],
    [10, { bytes: 11 }, 'BAD_MANIFEST'],
  ];
  for (const [size, offer, expected] of texts) {
    const { receiver } = await meet(t, { entries: [file('t', size)], offer: { kind: 'text', ...offer } }, {});
    assert.equal(await ending(receiver), expected);
  }
});

test('protects from: data that is not what its hash says', LIMIT, async (t) => {
  const place = world(t);
  const script: Script = {
    entries: [file('a', 3), file('b', CHUNK)],
    answer: (lane, message) => {
      if (message.type !== 'get') return true;
      for (const range of message.ranges) {
        const data = new Uint8Array(range.index === 0 ? 3 : CHUNK).fill(0x61);
        sendBlocks(lane, range, data, range.index === 1 ? { hash: new Uint8Array(32) } : {});
      }
      return false;
    },
  };
  const { receiver } = await meet(t, script, { to: place.to, lanes: 1 });
  assert.equal(await ending(receiver), 'VERIFICATION');
  assertConfined(place);
  assert.ok(!('b' in tree(place.to)));
  if ('a' in tree(place.to)) assert.equal(readFileSync(join(place.to, 'a'), 'utf8'), 'aaa');
});
