/** What a transport of a program is made with, for tests: it may do everything, and nobody hears of it. */
import { makeCertificate } from '../../src/identity/certificate.ts';
import { laneContext } from '../../src/secure/tls.ts';
import type { Surroundings } from '../../src/transports/surroundings.ts';

const certificate = makeCertificate();

export async function around(
  role: 'sender' | 'receiver',
  more: Partial<Surroundings> = {},
): Promise<Surroundings> {
  const { cert, key, fingerprint } = await certificate;
  return {
    ...{ role, relay: 'auto', context: laneContext(cert, key), seal: '01'.repeat(32), log: undefined },
    pin: () => fingerprint,
    hosts: () => ['192.0.2.1', '2001:db8::1'],
    tcpPort: () => 4848,
    mayDial: () => true,
    onPipe: (pipe) => pipe.destroy(),
    onPaths: () => {},
    onChange: () => {},
    onLack: () => {},
    ...more,
  };
}
