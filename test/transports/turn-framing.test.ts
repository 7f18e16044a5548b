import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import test from 'node:test';
import { setImmediate as soon } from 'node:timers/promises';
import fc from 'fast-check';
import { encodeStun, METHOD, newTransaction } from '../../src/nat/stun/message.ts';
import { readStun } from '../../src/transports/turn/control.ts';

function message(size: number): Uint8Array {
  const attributes = size === 0 ? [] : [{ type: 0x8022, value: new Uint8Array(size) }];
  return encodeStun({
    class: 'indication',
    method: METHOD.binding,
    transaction: newTransaction(),
    attributes,
  });
}

async function rest(stream: PassThrough): Promise<Buffer> {
  await soon();
  const parts: Buffer[] = [];
  for (let part: Buffer | null = stream.read(); part; part = stream.read()) parts.push(part);
  return Buffer.concat(parts);
}

test('messages come whole however the stream is cut, and what follows the last is left in it', async () => {
  const plan = fc.record({
    sizes: fc.array(fc.nat(700), { minLength: 1, maxLength: 6 }),
    after: fc.uint8Array({ maxLength: 100 }),
    cuts: fc.array(fc.nat(6000), { maxLength: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ sizes, after, cuts }) => {
      const sent = sizes.map(message);
      const all = Buffer.concat([...sent, after]);
      const stream = new PassThrough();
      const got: string[] = [];
      const reader = readStun(
        stream,
        (bytes) => {
          got.push(Buffer.from(bytes).toString('hex'));
          if (got.length === sent.length) reader.stop();
        },
        () => assert.fail('broken'),
      );
      const ends = [...new Set(cuts.map((cut) => cut % all.length)), all.length].sort((a, b) => a - b);
      let at = 0;
      for (const end of ends) {
        stream.write(all.subarray(at, end));
        at = end;
        await soon();
      }
      await soon();
      assert.deepEqual(
        got,
        sent.map((bytes) => Buffer.from(bytes).toString('hex')),
      );
      assert.deepEqual(await rest(stream), Buffer.from(after));
    }),
    { numRuns: Number(process.env.RUNS ?? 200), verbose: true },
  );
});

test('what is not STUN, or longer than anything said here, is called broken once and read no further', async () => {
  const long = Buffer.from(message(0));
  long.writeUInt16BE(60_000, 2);
  for (const bytes of [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), long, Buffer.alloc(64, 0xff)]) {
    const stream = new PassThrough();
    let broken = 0;
    readStun(
      stream,
      () => assert.fail('no message'),
      () => broken++,
    );
    stream.write(bytes);
    await soon();
    stream.write(bytes);
    await soon();
    assert.equal(broken, 1);
  }
});

test('a stream that ends within a message gives none', async () => {
  const stream = new PassThrough();
  readStun(
    stream,
    () => assert.fail('no message'),
    () => assert.fail('not broken'),
  );
  stream.end(Buffer.from(message(40)).subarray(0, 50));
  await soon();
  await soon();
});
