/** What is forged on a lane that stands ends it at once, at either end: nothing waits for pings to be missed. */
import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import test from 'node:test';
import { makeCertificate } from '../../src/identity/certificate.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { laneContext } from '../../src/secure/tls.ts';
import { dial } from '../../src/transports/tcp/dial.ts';
import { listen } from '../../src/transports/tcp/listen.ts';

/** A TLS record of application data (RFC 8446, 5.1) that nobody sealed. */
const FORGED = Buffer.concat([Buffer.of(0x17, 3, 3, 0, 32), Buffer.alloc(32, 7)]);

for (const victim of ['listener', 'dialler'] as const)
  test(`a forged record ends the lane of the ${victim}`, { timeout: 90_000 }, async (t) => {
    const { cert, key, fingerprint } = await makeCertificate();
    const context = laneContext(cert, key);
    let came: (pipe: Pipe) => void;
    const arriving = new Promise<Pipe>((resolve) => {
      came = resolve;
    });
    const listener = await listen({ context, host: '127.0.0.1', onPipe: (pipe) => came(pipe) });
    t.after(() => listener.close());
    const ends: Socket[] = [];
    const between = createServer((near) => {
      const far = connect(listener.port, '127.0.0.1');
      ends.push(near, far);
      near.pipe(far).pipe(near);
      for (const each of [near, far]) each.on('error', () => {});
    });
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      for (const each of ends) each.destroy();
      between.close();
    });
    const { port } = between.address() as { port: number };
    const dialled = await dial(
      { host: '127.0.0.1', port },
      context,
      fingerprint,
      new AbortController().signal,
    );
    const accepted = await arriving;
    const pipe = victim === 'listener' ? accepted : dialled;
    t.after(() => [dialled, accepted].forEach((each) => void each.destroy()));
    const closed = new Promise<Error | undefined>((resolve) => pipe.start(() => {}, resolve));
    ends[victim === 'listener' ? 1 : 0]!.write(FORGED);
    assert.ok((await closed) instanceof Error);
  });
