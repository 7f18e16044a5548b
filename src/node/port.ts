/** This side's one TCP port, which is closed with the transfer. */
import type { Socket } from 'node:net';
import type { Certificate } from '../identity/certificate.ts';
import { contextOf } from '../secure/tls.ts';
import type { Running } from '../session/transfer.ts';
import { type Listener, listen } from '../transports/tcp/listen.ts';
import type { Address } from '../wire/candidate.ts';
import type { CommonOptions } from './api.ts';

/** @param onOther takes what does not begin like a lane @throws BeelineError SERVER */
export async function openPort(
  transfer: Running,
  options: CommonOptions,
  certificate: Certificate,
  bind?: Address,
  onOther?: (socket: Socket) => void,
): Promise<Listener> {
  const listener = await listen({
    port: bind?.port ?? options.port,
    host: bind?.host,
    context: contextOf(certificate),
    onPipe: (pipe, fingerprint) => transfer.offerPipe(pipe, fingerprint),
    ...(onOther && { onOther }),
  });
  transfer.cleanup.push(() => listener.close());
  return listener;
}
