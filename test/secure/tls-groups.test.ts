/** What a stranger may make a lane's listener compute. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { connect, createSecureContext } from 'node:tls';
import { makeCertificate } from '../../src/identity/certificate.ts';
import { laneContext } from '../../src/secure/tls.ts';
import { listen } from '../../src/transports/tcp/listen.ts';

test('a lane agrees on keys by elliptic curves only: no stranger asks for ffdhe8192', {
  timeout: 30_000,
}, async (t) => {
  const { cert, key } = await makeCertificate();
  const listener = await listen({
    context: laneContext(cert, key),
    host: '127.0.0.1',
    onPipe: (pipe) => pipe.destroy(),
  });
  t.after(() => listener.close());
  for (const [ecdhCurve, expected] of [
    ['X25519', true],
    ['P-256', true],
    ['ffdhe2048', false],
    ['ffdhe8192', false],
  ] as const) {
    const secureContext = createSecureContext({ cert, key, minVersion: 'TLSv1.3', ecdhCurve });
    const socket = connect({
      port: listener.port,
      host: '127.0.0.1',
      secureContext,
      rejectUnauthorized: false,
    });
    const outcome = await once(socket, 'secureConnect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    assert.equal(outcome, expected, ecdhCurve);
  }
});
