/** Asking the router for a port, as a session does, and giving it back. */
import { createServer } from 'node:net';
import { asBeelineError, fault } from '../../base/errors.ts';
import { findGateway } from '../../nat/mapping/gateway.ts';
import type { Mapper } from '../../nat/mapping/mapper.ts';
import { NatPmp, Pcp } from '../../nat/mapping/pmp.ts';
import { Upnp } from '../../nat/mapping/upnp.ts';
import { listen } from '../../server/listen.ts';
import { type Facts, since } from './diagnosis.ts';
import type { Examination } from './examination.ts';

/** Seconds until a router forgets what could not be given back. */
const LIFETIME = 120;

/** @throws BeelineError NO_PATH */
export async function checkRouter(exam: Examination, signal: AbortSignal): Promise<Facts['router']> {
  const gateway = await findGateway();
  if (!gateway) throw fault('ROUTER_MISSING');
  signal.throwIfAborted();
  // All at once, because UPnP searches from the beginning.
  return askMappers([new Pcp(gateway), new NatPmp(gateway), new Upnp(gateway)], exam, signal);
}

/**
 * One after the other, so that no router maps a port twice, until one does. All are closed in the end.
 * @throws BeelineError NO_PATH with what each said
 */
export async function askMappers(
  mappers: readonly Mapper[],
  exam: Examination,
  signal: AbortSignal,
): Promise<Facts['router']> {
  const waiting = new Set(mappers);
  const silent: string[] = [];
  const refusals = new Set<string>();
  // A port of our own: no other program's is to be opened to the world.
  const own = createServer((socket) => socket.destroy());
  const port = await listen(own, { port: 0 }, 'any port');
  try {
    for (const mapper of mappers) {
      if (signal.aborted) break;
      const began = performance.now();
      const mapping = mapper.map('tcp', port, LIFETIME);
      waiting.delete(mapper);
      exam.returning(giveBack(mapper, mapping, port));
      try {
        const { address } = await mapping;
        return { ms: since(began), protocol: mapper.protocol, host: address.host };
      } catch (thrown) {
        const { code, message } = asBeelineError(thrown);
        if (code === 'TIMEOUT') silent.push(mapper.protocol);
        else refusals.add(message.includes(mapper.protocol) ? message : `${mapper.protocol}: ${message}`);
      }
    }
  } finally {
    own.close();
    for (const mapper of waiting) mapper.close();
  }
  const silence = silent.length > 0 ? [`No answer to ${silent.join(' and ')}.`] : [];
  throw fault('ROUTER_MAPS_NOTHING', { what: [...silence, ...refusals].join(' ') });
}

async function giveBack(mapper: Mapper, mapping: Promise<unknown>, port: number): Promise<void> {
  try {
    await mapping;
  } catch (thrown) {
    // Others may have mapped the port before they found that it is of no use.
    if (asBeelineError(thrown).code === 'TIMEOUT') return mapper.close();
  }
  await mapper.unmap('tcp', port).finally(() => mapper.close());
}
