/** Credit of reliable pipes: a reader and a writer that keep to it never stand still and never exceed it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CREDIT_STEP,
  CREDIT_WINDOW,
  Credit,
  decodeGrant,
  encodeGrant,
  GRANT_LENGTH,
} from '../../src/base/credit.ts';
import { BeelineError } from '../../src/base/errors.ts';
import { VirtualClock } from '../virtual-clock.ts';

const isProtocol = (error: unknown) => error instanceof BeelineError && error.code === 'PROTOCOL';

test('whatever the sizes and whoever is slow: within the window, and all arrives', () => {
  const steps = fc.array(fc.record({ length: fc.integer({ min: 1, max: CREDIT_STEP }), take: fc.nat(3) }), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(steps, fc.nat(2), (steps, delay) => {
      const grants: number[] = [];
      const writer = new Credit(() => assert.fail('it reads nothing'));
      const reader = new Credit((total) => grants.push(total));
      const held: number[] = [];
      let holds = 0;
      const hear = () => {
        while (grants.length > delay) writer.hear(decodeGrant(encodeGrant(grants.shift()!)));
      };
      const take = () => {
        const length = held.shift();
        if (length === undefined) return;
        holds -= length;
        reader.took(length);
      };
      let gone = 0;
      for (const { length, take: many } of steps) {
        let went = false;
        writer.spend(length, () => {
          went = true;
          gone++;
          reader.arrived(length);
          held.push(length);
          holds += length;
        });
        assert.ok(holds <= CREDIT_WINDOW);
        for (let i = 0; i < many; i++) take();
        hear();
        // The writer waits: a reader that takes all, and is heard, lets it go.
        while (!went && held.length > 0) take();
        if (!went) for (const total of grants.splice(0)) writer.hear(total);
        assert.ok(went, 'both wait');
      }
      assert.equal(gone, steps.length);
    }),
    { numRuns: 300 },
  );
});

test('what nobody granted, and grants that nobody gives, are refused', () => {
  const reader = new Credit(() => {});
  reader.arrived(CREDIT_WINDOW);
  assert.throws(() => reader.arrived(1), isProtocol);

  const writer = new Credit(() => {});
  for (let i = 0; i < 3; i++) writer.spend(CREDIT_STEP, () => {});
  assert.throws(() => writer.hear(CREDIT_STEP - 1), isProtocol);
  writer.hear(CREDIT_STEP);
  assert.throws(() => writer.hear(CREDIT_STEP), isProtocol);
  assert.throws(() => writer.hear(2 * CREDIT_STEP - 1), isProtocol);
  assert.throws(() => writer.hear(3 * CREDIT_STEP + 1), isProtocol);
  assert.throws(() => writer.hear(Number.NaN), isProtocol);
  assert.throws(() => writer.hear(decodeGrant(new Uint8Array(GRANT_LENGTH).fill(255))), isProtocol);
  writer.hear(3 * CREDIT_STEP);
});

test('who has closed is not called back', () => {
  const writer = new Credit(() => {});
  for (let i = 0; i < 8; i++) writer.spend(CREDIT_STEP, () => {});
  writer.spend(1, () => assert.fail('it is closed'));
  writer.close();
  writer.hear(8 * CREDIT_STEP);
});

/** One end of a pipe whose grants may be lost. */
function lossy(grant: (total: number) => void = () => {}, ask = () => {}, clock = new VirtualClock()) {
  return new Credit(grant, { clock, ask });
}

test('where grants may be lost: a window goes ahead, and then what the reader took', () => {
  const credit = lossy();
  let went = 0;
  credit.spend(CREDIT_WINDOW, () => went++);
  credit.spend(100, () => went++);
  assert.equal(went, 1);
  credit.hear(99);
  assert.equal(went, 1);
  credit.hear(100);
  assert.equal(went, 2);
  credit.close();
});

test('where grants may be lost: none is raised by what cannot be, nor lowered by what is old', () => {
  const credit = lossy();
  let went = 0;
  credit.spend(CREDIT_WINDOW, () => went++);
  credit.hear(CREDIT_WINDOW);
  credit.hear(5);
  credit.hear(CREDIT_WINDOW * 1000);
  credit.hear(decodeGrant(new Uint8Array(GRANT_LENGTH).fill(255)));
  credit.hear(Number.NaN);
  credit.spend(CREDIT_WINDOW, () => went++);
  credit.spend(1, () => went++);
  assert.equal(went, 2);
  credit.close();
});

test('where grants may be lost: a writer that waits asks, and the reader says it again', async () => {
  const clock = new VirtualClock();
  let lost = 3;
  let went = false;
  const writer: Credit = lossy(
    () => {},
    () => reader.asked(),
    clock,
  );
  const reader = lossy((total) => {
    if (lost-- <= 0) writer.hear(total);
  });
  writer.spend(CREDIT_WINDOW, () => {});
  writer.spend(1, () => {
    went = true;
  });
  reader.took(CREDIT_WINDOW);
  await clock.pass(749);
  assert.equal(went, false);
  await clock.pass(1);
  assert.equal(went, true);
  assert.equal(clock.waiting, 0);
});
