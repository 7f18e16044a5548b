/** Sealed lanes with somebody on the way, or at the other end, who means harm. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat } from '../../src/base/bytes.ts';
import { CREDIT_WINDOW, encodeGrant } from '../../src/base/credit.ts';
import { BeelineError } from '../../src/base/errors.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { sealedClient, sealedServer } from '../../src/secure/sealed/handshake.ts';
import {
  laneKeys,
  MAX_PLAIN,
  RECORD_COST,
  RecordParser,
  recordHeader,
  Sealer,
} from '../../src/secure/sealed/records.ts';
import {
  type End,
  forever,
  Heard,
  lane,
  type Middle,
  rogue,
  secrets,
  settled,
  wire,
  write,
} from './sealed-ends.ts';

const codeOf = (error: unknown) => {
  assert.ok(error instanceof BeelineError, String(error));
  return error.code;
};
const isError =
  (...codes: string[]) =>
  (error: unknown) =>
    codes.includes(codeOf(error));

/** Both ends' handshakes, each with its error or its pipe. */
async function both(ends: Record<End, Pipe>, secret = secrets()) {
  const [client, server] = await Promise.allSettled([
    sealedClient(ends.client, secret.client, forever),
    sealedServer(ends.server, () => secret.server, forever),
  ]);
  return { client, server };
}

test('without both halves, and in the right order, there is no lane', async () => {
  const right = secrets();
  const wrong = randomBytes(32);
  const cases = [
    { ...right, client: { ...right.client, own: wrong } },
    { ...right, client: { ...right.client, peer: wrong } },
    { ...right, server: { ...right.server, own: wrong } },
    { ...right, server: { ...right.server, peer: wrong } },
    { ...right, server: { ...right.server, role: 'receiver' as const } },
  ];
  for (const secret of cases) {
    const { client, server } = await both(wire(), secret);
    assert.ok(client.status === 'rejected' && server.status === 'rejected');
    assert.equal(codeOf(client.reason), 'AUTHENTICATION');
    assert.equal(codeOf(server.reason), 'NO_PATH');
  }
  const { client, server } = await both(wire(), { ...right, server: undefined as never });
  assert.ok(client.status === 'rejected' && server.status === 'rejected');
  assert.equal(codeOf(server.reason), 'AUTHENTICATION');
});

test('a client without the key is not taken for one, whatever it says', async () => {
  const { server } = secrets();
  const record = concat(recordHeader('hello', 0), new Uint8Array(16));
  const greeting = concat(Uint8Array.of(0xbe, 1), randomBytes(32));
  const lies: Uint8Array[][] = [
    [greeting, record],
    [greeting, concat(recordHeader('data', 1), new Uint8Array(17))],
    [concat(Uint8Array.of(0x16, 3), randomBytes(32))],
    [concat(Uint8Array.of(0xbe, 2), randomBytes(32))],
    [concat(greeting, record, record)],
    [randomBytes(100_000)],
  ];
  for (const lie of lies) {
    const ends = wire();
    const opening = assert.rejects(
      sealedServer(ends.server, () => server, forever),
      isError('AUTHENTICATION', 'PROTOCOL'),
    );
    for (const bytes of lie) await write(ends.client, bytes.slice()).catch(() => {});
    await opening;
  }
});

const SENT = { client: Buffer.from('from the client, sealed'), server: Buffer.from('from the server') };

/** A short session that `closer` ends, with somebody on the wire: what came out at either end, and how each ended. */
async function session(middle: Middle, closer: End, patient = false) {
  const { client, server } = await both(wire(middle));
  const results = { client, server };
  const heard: Partial<Record<End, Heard>> = {};
  for (const end of ['client', 'server'] as const) {
    const result = results[end];
    if (result.status === 'fulfilled') heard[end] = new Heard(result.value);
  }
  // One after the other, so that every run has the same bytes in the same places.
  for (const end of ['client', 'server'] as const) {
    const pipe = heard[end]?.pipe;
    if (!pipe) continue;
    await write(pipe, Buffer.from(SENT[end])).catch(() => {});
    const to = heard[end === 'client' ? 'server' : 'client'];
    if (!to) continue;
    const through = Promise.race([to.until(SENT[end].length), to.closed]);
    // A length that was altered may have it wait for the rest: the end, which comes behind it, tells.
    await (patient ? through : Promise.race([through, settled(() => to.bytes)]));
  }
  heard[closer]?.pipe.destroy();
  const fate = async (end: End) => {
    const result = results[end];
    return result.status === 'rejected' ? codeOf(result.reason) : ((await heard[end]?.closed) ?? 'clean');
  };
  const fates = { client: await fate('client'), server: await fate('server') };
  return { heard, fates };
}

/** Never anything but what was sent. */
function assertNothingFalse(heard: Partial<Record<End, Heard>>): void {
  const prefix = (got: Buffer | undefined, sent: Buffer) =>
    assert.ok(!got || sent.subarray(0, got.length).equals(got), `${got} is not what was sent`);
  prefix(heard.server?.all, SENT.client);
  prefix(heard.client?.all, SENT.server);
}

/** Bytes from an end that closes a session which nobody meddles with. */
async function lengthFrom(end: End): Promise<number> {
  let passed = 0;
  const middle: Middle = (bytes, from, deliver) => {
    if (from === end) passed += bytes.length;
    deliver(bytes);
  };
  const { fates } = await session(middle, end, true);
  assert.deepEqual(fates, { client: 'clean', server: 'clean' });
  return passed;
}

/** Puts other bytes in the place of one that `end` sends. */
function at(end: End, place: number, instead: (byte: number) => Uint8Array): Middle {
  let passed = 0;
  return (bytes, from, deliver) => {
    const index = from === end ? place - passed : -1;
    if (from === end) passed += bytes.length;
    if (index < 0 || index >= bytes.length) return deliver(bytes);
    deliver(concat(bytes.subarray(0, index), instead(bytes[index]!), bytes.subarray(index + 1)));
  };
}

test('every single byte of both directions counts', async () => {
  // Each direction is a nonce, a greeting, a record, and the end.
  assert.equal(await lengthFrom('client'), 34 + 20 + (20 + SENT.client.length) + 20);
  assert.equal(await lengthFrom('server'), 32 + 20 + (20 + SENT.server.length) + 20);
  for (const end of ['client', 'server'] as const) {
    const length = await lengthFrom(end);
    for (let place = 0; place < length; place++) {
      const bit = 1 << Math.floor(Math.random() * 8);
      const { heard, fates } = await session(
        at(end, place, (byte) => Uint8Array.of(byte ^ bit)),
        end,
      );
      assertNothingFalse(heard);
      const fate = fates[end === 'client' ? 'server' : 'client'];
      const name = `bit ${bit} of byte ${place} from the ${end}: ${fate}`;
      assert.notEqual(fate, 'clean', name);
      // Had it waited for something, that would be a TIMEOUT.
      assert.notEqual(codeOfFate(fate), 'TIMEOUT', name);
    }
  }
});

const codeOfFate = (fate: unknown) => (typeof fate === 'string' ? fate : codeOf(fate));

test('bytes put in, or a wire that ends early, are noticed everywhere', async () => {
  const lengths = { client: await lengthFrom('client'), server: await lengthFrom('server') };
  const place = fc.constantFrom<End>('client', 'server').chain((end) =>
    fc.record({
      end: fc.constant(end),
      place: fc.nat(lengths[end] - 1),
      more: fc.uint8Array({ minLength: 1 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(place, async ({ end, place, more }) => {
      const { heard, fates } = await session(
        // Or else the stream could be whole, with something behind it.
        at(end, place, (byte) =>
          concat(more[0] === byte ? more.with(0, byte ^ 1) : more, Uint8Array.of(byte)),
        ),
        end,
      );
      assertNothingFalse(heard);
      assert.notEqual(fates[end === 'client' ? 'server' : 'client'], 'clean');
    }),
    { numRuns: 60 },
  );
  for (let length = 0; length < lengths.client; length++) {
    let sent = 0;
    const ends = wire((bytes, from, deliver) => {
      const room = from === 'client' ? Math.max(0, length - sent) : bytes.length;
      if (from === 'client') sent += bytes.length;
      deliver(bytes.subarray(0, room));
      if (room < bytes.length) ends.client.destroy();
    });
    const { client, server } = await both(ends);
    if (server.status === 'rejected') {
      assert.equal(codeOf(server.reason), 'NO_PATH');
      continue;
    }
    assert.ok(client.status === 'fulfilled');
    const far = new Heard(server.value);
    await write(client.value, Buffer.from(SENT.client)).catch(() => {});
    client.value.destroy();
    assert.equal(codeOf(await far.closed), 'NO_PATH', `${length} bytes, then nothing`);
    assert.ok(far.bytes === 0 || far.bytes === SENT.client.length);
  }
});

/** A middle that lets pass what the client says first, and then gives each of its data records to `act`. */
function onRecords(
  act: (index: number, record: Uint8Array, deliver: (bytes: Uint8Array) => void) => void,
): Middle {
  let index = 0;
  const parser = new RecordParser(
    () => {},
    ({ type, header, body }) => parts.push({ type, bytes: concat(header, body) }),
  );
  const parts: { type: string; bytes: Uint8Array }[] = [];
  let greeted = false;
  return (bytes, from, deliver) => {
    if (from === 'server') return deliver(bytes);
    if (!greeted) {
      greeted = true;
      return deliver(bytes);
    }
    parser.feed(bytes);
    for (const { type, bytes } of parts.splice(0)) {
      if (type === 'data') act(index++, bytes, deliver);
      else deliver(bytes);
    }
  };
}

test('records that are repeated, left out, swapped or brought from another lane end the lane', async () => {
  const secret = secrets();
  const stolen: Uint8Array[] = [];
  const run = async (middle: Middle) => {
    const { client, server } = await lane(wire(middle), secret);
    const far = new Heard(server);
    for (let i = 0; i < 6; i++) await write(client, Buffer.alloc(10, i)).catch(() => {});
    client.destroy();
    return { far, error: await far.closed };
  };
  const honest = await run(
    onRecords((_index, record, deliver) => {
      stolen.push(record);
      deliver(record);
    }),
  );
  assert.equal(honest.error, undefined);
  assert.equal(honest.far.bytes, 60);
  let kept: Uint8Array | undefined;
  const crimes: Record<string, Parameters<typeof onRecords>[0]> = {
    repeat: (index, record, deliver) => {
      deliver(record);
      if (index === 2) deliver(record);
    },
    omit: (index, record, deliver) => {
      if (index !== 2) deliver(record);
    },
    swap: (index, record, deliver) => {
      if (index === 2) {
        kept = record;
        return;
      }
      deliver(record);
      if (index === 3) deliver(kept!);
    },
    splice: (index, record, deliver) => deliver(index === 2 ? stolen[2]! : record),
  };
  for (const [name, crime] of Object.entries(crimes)) {
    const { far, error } = await run(onRecords(crime));
    assert.equal(codeOf(error), 'AUTHENTICATION', name);
    const good = Buffer.concat(Array.from({ length: 3 }, (_, i) => Buffer.alloc(10, i)));
    assert.ok(good.subarray(0, far.bytes).equals(far.all), name);
  }
});

test('a side that hears itself does not take that for the other', async () => {
  const { client } = secrets();
  const mirror = wire((bytes, from, deliver) => deliver(bytes, from));
  await assert.rejects(sealedClient(mirror.client, client, forever), isError('AUTHENTICATION'));
  // Once there is a lane: what the server sealed comes back to it in the client's place.
  let reflecting = false;
  const ends = wire((bytes, from, deliver) => deliver(bytes, reflecting ? from : undefined));
  const { server } = await lane(ends);
  const far = new Heard(server);
  reflecting = true;
  await write(server, Buffer.from('mine'));
  assert.equal(codeOf(await far.closed), 'AUTHENTICATION');
  assert.equal(far.bytes, 0);
});

test('the keys of both directions are not the same, nor those of two lanes', async () => {
  const { client } = secrets();
  const nonces = () => ({ client: randomBytes(32), server: randomBytes(32) });
  const seal = async (side: End, at: ReturnType<typeof nonces>) =>
    Buffer.from(
      (await new Sealer((await laneKeys(client, at, side))[side]).seal('hello', new Uint8Array(0))).body,
    );
  const at = nonces();
  const tags = await Promise.all([seal('client', at), seal('server', at), seal('client', nonces())]);
  assert.equal(new Set(tags.map((tag) => tag.toString('hex'))).size, 3);
});

test('records come out as they went in, however the bytes are cut, and lengths are bounded before they are believed', () => {
  const type = fc.constantFrom('hello' as const, 'grant' as const, 'end' as const, 'data' as const);
  const record = fc.tuple(type, fc.integer({ min: 1, max: 3000 })).map(([type, length]) => {
    const plain = type === 'data' ? length : type === 'grant' ? 8 : 0;
    return { type, bytes: concat(recordHeader(type, plain), randomBytes(plain + 16)) };
  });
  fc.assert(
    fc.property(fc.array(record), fc.array(fc.integer({ min: 1, max: 5000 })), (records, cuts) => {
      const got: { type: string; bytes: Uint8Array }[] = [];
      const parser = new RecordParser(
        () => {},
        ({ type, header, body }) => got.push({ type, bytes: concat(header, body) }),
      );
      const all = concat(...records.map(({ bytes }) => bytes));
      let at = 0;
      for (const cut of [...cuts, all.length]) {
        parser.feed(all.subarray(at, at + cut));
        at += cut;
      }
      assert.deepEqual(got, records);
    }),
  );
  for (const header of [
    recordHeader('data', 0),
    recordHeader('data', MAX_PLAIN + 1),
    recordHeader('hello', 1),
    recordHeader('end', 1),
    recordHeader('grant', 7),
    Uint8Array.of(1, 0, 0, 15),
    Uint8Array.of(1, 255, 255, 255),
    Uint8Array.of(4, 0, 0, 17),
    Uint8Array.of(255, 0, 0, 17),
  ]) {
    const never = () => assert.fail('it was believed');
    assert.throws(() => new RecordParser(never, never).feed(header), isError('PROTOCOL'));
  }
});

test('who has the keys and keeps no rules is cut off: more than the window, tiny records, grants, things out of turn', async () => {
  const flood = async (length: number, together: number) => {
    const { opening, send, record, raw } = await rogue();
    await send('hello');
    const pipe = await opening;
    const heard = new Heard(pipe);
    pipe.pause();
    const plain = new Uint8Array(length);
    let sent = 0;
    for (let open = true; open; sent += together) {
      const records = await Promise.all(Array.from({ length: together }, () => record('data', plain)));
      open = await write(raw, concat(...records)).then(
        () => true,
        () => false,
      );
    }
    assert.equal(codeOf(await heard.closed), 'PROTOCOL');
    const most = CREDIT_WINDOW / (length + RECORD_COST);
    assert.ok(sent <= most + 3 * together, `${sent} of ${length} bytes`);
  };
  await flood(MAX_PLAIN, 1);
  await flood(1, 512);

  type Send = Awaited<ReturnType<typeof rogue>>['send'];
  const misdeeds: Record<string, (send: Send) => Promise<void>> = {
    'a grant of what was not sent': (send) => send('grant', encodeGrant(CREDIT_WINDOW)),
    'a grant of nothing': (send) => send('grant', encodeGrant(0)),
    'a grant that is no number': (send) => send('grant', new Uint8Array(8).fill(255)),
    'a second greeting': (send) => send('hello'),
    'data after the end': async (send) => {
      await send('data', new Uint8Array(1));
      await send('end');
      await send('data', new Uint8Array(1));
    },
  };
  for (const [name, misdeed] of Object.entries(misdeeds)) {
    const { opening, send } = await rogue();
    await send('hello');
    const pipe = await opening;
    const heard = new Heard(pipe);
    // Held, so that the end is not reached before what comes after it.
    pipe.pause();
    await misdeed(send).catch(() => {});
    assert.equal(codeOf(await heard.closed), 'PROTOCOL', name);
  }

  const { opening, record, raw } = await rogue();
  const grants = [await record('hello', new Uint8Array(0))];
  for (let i = 0; i < 17; i++) grants.push(await record('grant', encodeGrant(0)));
  await write(raw, concat(...grants)).catch(() => {});
  await assert.rejects(opening, isError('PROTOCOL'));
});

test('data before the greeting is none', async () => {
  const { opening, send } = await rogue();
  await send('data', Uint8Array.of(1)).catch(() => {});
  await assert.rejects(opening, isError('PROTOCOL'));
});

test('a key ends before it is worn out', async () => {
  const { client } = await laneKeys(
    secrets().client,
    { client: randomBytes(32), server: randomBytes(32) },
    'client',
  );
  const sealer = new Sealer(client, 2 ** 22 - 1);
  await sealer.seal('data', Uint8Array.of(1));
  await assert.rejects(sealer.seal('data', Uint8Array.of(1)), isError('NO_PATH'));
});

test('what both ends hold while one is paused for good is let go with the lane', async () => {
  const { client, server } = await lane();
  const far = new Heard(server);
  server.pause();
  const writing = assert.rejects(write(client, Buffer.alloc(16 * 2 ** 20)), isError('NO_PATH'));
  await settled(() => far.bytes);
  server.destroy();
  await writing;
  assert.equal(await far.closed, undefined);
});
