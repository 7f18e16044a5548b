import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { randomFrom } from '../seed.ts';
import { FileModel, PAGE } from './file-model.ts';

const step = fc.oneof(
  fc.record({ at: fc.nat(4 * PAGE), length: fc.integer({ min: 1, max: 2 * PAGE }), returns: fc.boolean() }),
  fc.record({ size: fc.nat(4 * PAGE), returns: fc.boolean() }),
  fc.constantFrom('sync' as const, 'failed sync' as const),
);

test('no sync, done or failed, changes what a running system reads', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.nat(), (steps, seed) => {
      const file = new FileModel(Buffer.from('start'));
      let plain: Buffer = Buffer.from('start');
      for (const [i, each] of steps.entries()) {
        if (each === 'sync') file.beginSync().done();
        else if (each === 'failed sync') file.beginSync().failed();
        else {
          const change = 'size' in each ? each : { at: each.at, data: Buffer.alloc(each.length, 65 + i) };
          const end = 'size' in change ? change.size : Math.max(plain.length, change.at + change.data.length);
          const next = Buffer.alloc(end);
          plain.copy(next);
          if ('data' in change) change.data.copy(next, change.at);
          plain = next;
          const returned = file.change(change);
          if (each.returns) returned();
        }
        assert.ok(file.content().equals(plain));
        file.survive(randomFrom(seed + i));
      }
    }),
  );
});

test('each byte that survives is one that was there, or none', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.nat(), (steps, seed) => {
      const file = new FileModel(Buffer.alloc(PAGE, 1));
      let most = PAGE;
      for (const [i, each] of steps.entries()) {
        if (typeof each === 'string') file.beginSync()[each === 'sync' ? 'done' : 'failed']();
        else if ('size' in each) file.change({ size: each.size })();
        else file.change({ at: each.at, data: Buffer.alloc(each.length, i + 2) })();
        if (typeof each !== 'string')
          most = Math.max(most, 'size' in each ? each.size : each.at + each.length);
      }
      const last = steps.lastIndexOf('sync');
      const writes = steps.slice(last + 1).some((each) => typeof each !== 'string');
      const left = file.survive(randomFrom(seed));
      assert.ok(left.length <= most);
      if (steps.indexOf('failed sync') < 0 && last >= 0 && !writes) assert.ok(left.equals(file.content()));
      for (const byte of left) assert.ok(byte < steps.length + 2);
    }),
  );
});
