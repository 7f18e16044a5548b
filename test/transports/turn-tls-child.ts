/** A TURN server with TLS and both peers, in one process: says what crossed, or why nothing did. */
import { readFileSync } from 'node:fs';
import { asBeelineError } from '../../src/base/errors.ts';
import { makeCertificate } from '../../src/identity/certificate.ts';
import { laneContext } from '../../src/secure/tls.ts';
import { dial } from '../../src/transports/tcp/dial.ts';
import { allocate } from '../../src/transports/turn/allocation.ts';
import { FakeTurn, LOGIN } from './turn-fake.ts';

const { CERT = '', KEY = '', HOST = '' } = process.env;
const fake = await FakeTurn.start({ cert: readFileSync(CERT, 'utf8'), key: readFileSync(KEY, 'utf8') });
const signal = new AbortController().signal;
try {
  const [ours, theirs] = await Promise.all([makeCertificate(), makeCertificate()]);
  const allocation = await allocate({
    rendezvous: HOST,
    server: { urls: [`turns:${HOST}:${fake.port}`], ...LOGIN },
    context: laneContext(ours.cert, ours.key),
    onPipe: (pipe) => pipe.write(Buffer.from('hello'), () => {}),
    onLost: (error) => console.log(error.message),
    signal,
  });
  const pipe = await dial(
    allocation.relayed,
    laneContext(theirs.cert, theirs.key),
    ours.fingerprint,
    signal,
    { kind: 'turn', relayed: true },
  );
  await new Promise<void>((resolve) =>
    pipe.start(
      (bytes) => {
        console.log(Buffer.from(bytes).toString());
        resolve();
      },
      () => resolve(),
    ),
  );
  pipe.destroy();
  await allocation.close();
} catch (thrown) {
  const { code, message } = asBeelineError(thrown);
  console.log(`${code} ${message}`);
}
await fake.stop();
