import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { SpaceFile, type SyncFile } from '../../src/browser/files/space-file.ts';

/** A file with a disk behind it: only what was flushed survives. */
class Disk implements SyncFile {
  bytes: Uint8Array = new Uint8Array();
  durable: Uint8Array = new Uint8Array();
  failing = '';
  readonly calls: string[];
  readonly name: string;

  constructor(name: string, calls: string[]) {
    this.name = name;
    this.calls = calls;
  }

  #called(what: string): void {
    this.calls.push(`${this.name} ${what}`);
    if (this.failing === what) throw new DOMException('Full.', 'QuotaExceededError');
  }

  read(into: Uint8Array, { at }: { at: number }): number {
    const part = this.bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  }

  write(bytes: Uint8Array, { at }: { at: number }): number {
    this.#called('write');
    if (at + bytes.length > this.bytes.length) this.truncate(at + bytes.length);
    this.bytes.set(bytes, at);
    return bytes.length;
  }

  flush(): void {
    this.#called('flush');
    this.durable = this.bytes.slice();
  }

  truncate(size: number): void {
    const next = new Uint8Array(size);
    next.set(this.bytes.subarray(0, size));
    this.bytes = next;
  }

  getSize(): number {
    return this.bytes.length;
  }

  close(): void {
    this.#called('close');
  }
}

function setUp() {
  const calls: string[] = [];
  const [data, journal] = [new Disk('data', calls), new Disk('journal', calls)];
  return { calls, data, journal, space: new SpaceFile(data, journal) };
}

const record = (n: number) => new Uint8Array([n]);

test('data is flushed before a record of it is written', () => {
  const { calls, journal, space } = setUp();
  space.begin(0, new Uint8Array([9, 9]), 100);
  calls.length = 0;
  space.write(0, new Uint8Array(50).fill(1), record(1));
  space.write(50, new Uint8Array(50).fill(2), record(2));
  assert.deepEqual([...journal.durable], [9, 9]);
  space.flush();
  assert.deepEqual(calls, ['data write', 'data write', 'data flush', 'journal write', 'journal flush']);
  assert.deepEqual([...journal.durable], [9, 9, 1, 2]);
  space.close();
});

test('whatever fails, no record stands for what may not be down, and nothing goes on', () => {
  const places = fc.constantFrom(
    ...(['data write', 'data flush', 'journal write', 'journal flush'] as const),
  );
  fc.assert(
    fc.property(places, fc.integer({ min: 1, max: 10 }), (place, good) => {
      const { data, journal, space } = setUp();
      space.begin(0, new Uint8Array(), 1000);
      for (let i = 1; i <= good; i++) {
        space.write(i * 10, new Uint8Array(10).fill(i), record(i));
        space.flush();
      }
      const [file, what] = place.split(' ');
      (file === 'data' ? data : journal).failing = what!;
      assert.throws(() => {
        space.write(500, new Uint8Array(10).fill(77), record(77));
        space.flush();
      });
      assert.throws(() => space.write(600, new Uint8Array(10), record(78)), { name: 'QuotaExceededError' });
      assert.throws(() => space.flush(), { name: 'QuotaExceededError' });
      data.failing = journal.failing = '';
      space.close();
      assert.ok(!journal.durable.includes(78));
      if (journal.bytes.includes(77)) assert.equal(data.durable[500], 77);
      assert.deepEqual(
        [...journal.durable.subarray(0, good)],
        Array.from({ length: good }, (_, i) => i + 1),
      );
    }),
  );
});

test('zeros need no write where nothing can be, and one where something is', () => {
  const { calls, data, space } = setUp();
  space.begin(0, record(1), 100);
  calls.length = 0;
  space.zeros(0, 100, record(2));
  assert.deepEqual(calls, []);
  space.write(0, new Uint8Array(100).fill(5), record(3));
  space.flush();
  space.begin(2, new Uint8Array(), 100);
  space.zeros(20, 30, record(4));
  assert.deepEqual([data.bytes[19], data.bytes[20], data.bytes[49], data.bytes[50]], [5, 0, 0, 5]);
  space.close();
});

test('going on cuts off what is not trusted, and beginning anew leaves nothing', () => {
  const { data, journal, space } = setUp();
  space.begin(0, new Uint8Array([1, 2, 3, 4]), 10);
  space.write(0, new Uint8Array(10).fill(1), record(5));
  space.flush();
  space.begin(3, record(6), 10);
  assert.deepEqual([...space.read()], [1, 2, 3, 6]);
  assert.equal(data.bytes[0], 1);
  space.begin(0, record(7), 4);
  assert.deepEqual([...journal.durable], [7]);
  assert.deepEqual([...data.durable], [0, 0, 0, 0]);
  space.close();
});

test('a browser that writes nothing and does not say so is full', () => {
  const { data, space } = setUp();
  space.begin(0, record(1), 10);
  data.write = () => 0;
  assert.throws(() => space.write(0, new Uint8Array(5), record(2)), { name: 'QuotaExceededError' });
  space.close();
});
