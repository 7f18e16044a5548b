/** Credit of reliable pipes: a reader and a writer that keep to it never stand still and never exceed it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CREDIT_STEP,
  CREDIT_WINDOW,
  decodeGrant,
  encodeGrant,
  GRANT_LENGTH,
  ReliableCredit,
} from '../../src/base/credit.ts';
import { BeelineError } from '../../src/base/errors.ts';

const isProtocol = (error: unknown) => error instanceof BeelineError && error.code === 'PROTOCOL';

test('whatever the sizes and whoever is slow: within the window, and all arrives', () => {
  const steps = fc.array(fc.record({ length: fc.integer({ min: 1, max: CREDIT_STEP }), take: fc.nat(3) }), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(steps, fc.nat(2), (steps, delay) => {
      const grants: number[] = [];
      const writer = new ReliableCredit(() => assert.fail('it reads nothing'));
      const reader = new ReliableCredit((total) => grants.push(total));
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
  const reader = new ReliableCredit(() => {});
  reader.arrived(CREDIT_WINDOW);
  assert.throws(() => reader.arrived(1), isProtocol);

  const writer = new ReliableCredit(() => {});
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
  const writer = new ReliableCredit(() => {});
  for (let i = 0; i < 8; i++) writer.spend(CREDIT_STEP, () => {});
  writer.spend(1, () => assert.fail('it is closed'));
  writer.close();
  writer.hear(8 * CREDIT_STEP);
});
