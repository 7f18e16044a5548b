/** What this machine's network allows: all that can be told without another peer, in at most about nine seconds. */
import { asBeelineError } from '../../base/errors.ts';
import { rendezvousUrl } from '../../websocket/url.ts';
import type { CommonOptions } from '../api.ts';
import { checkNames } from '../option-names.ts';
import { checkDht } from './dht.ts';
import { CHECKS, type Diagnosis, failure } from './diagnosis.ts';
import { Examination, type OnCheck, stopped } from './examination.ts';
import { checkLan, checkUdx, localAddresses } from './local.ts';
import { checkNats } from './nat.ts';
import { checkRelay, checkTurn } from './relay.ts';
import { checkRouter } from './router.ts';
import { type DoctorPlace, hostsOf, messageTime, proxyOf, takePlace } from './server.ts';

export interface DiagnoseOptions {
  /** As for `send` and `receive`; absent: only this machine and its router are looked at. */
  server?: string;
  /** False: the router is not asked to map a port (for a moment). */
  portMap?: boolean;
  /** As for `send` and `receive`: whether the DHT is asked, and which. Not if there is a server. */
  dht?: CommonOptions['dht'];
  /** Only the server, its relay and the way there are looked at: for who reaches it by a proxy, and nobody past that. */
  only?: boolean;
  /** Each check as soon as it is made. */
  onCheck?: OnCheck;
  signal?: AbortSignal;
}

/**
 * Resolves however bad things are: what could not be reached is a check that is not `ok`.
 * @throws BeelineError USAGE for a malformed URL, INTERRUPTED (or what the signal was aborted with)
 */
export async function diagnose(options: DiagnoseOptions = {}): Promise<Diagnosis> {
  const { server, portMap = true, dht = false, only = false, onCheck, signal } = options;
  checkNames('diagnose', options);
  if (server !== undefined) rendezvousUrl(server);
  if (signal?.aborted) throw stopped(signal);
  const exam = new Examination(onCheck, signal);
  try {
    await Promise.all([
      exam.check('addresses', async () => localAddresses()),
      !only && exam.check('lan', checkLan),
      !only && exam.check('udx', checkUdx),
      portMap && !only && exam.check('router', (scope) => checkRouter(exam, scope)),
      dht && !only && server === undefined && exam.check('dht', (scope) => checkDht(exam, dht, scope)),
      server !== undefined && examineServer(exam, server, only),
    ]);
    exam.throwIfStopped();
    return ordered(exam.diagnosis);
  } finally {
    await exam.close();
  }
}

function ordered(diagnosis: Diagnosis): Diagnosis {
  return Object.fromEntries(CHECKS.flatMap((name) => (diagnosis[name] ? [[name, diagnosis[name]]] : [])));
}

async function examineServer(exam: Examination, url: string, only: boolean): Promise<void> {
  let host: DoctorPlace | undefined;
  try {
    const [hosts] = await Promise.all([
      // Its name is the proxy's to look up.
      only ? [] : exam.bounded(() => hostsOf(url)).catch(() => []),
      exam.check('proxy', () => proxyOf(url)),
    ]);
    // Opened with the signal of the whole, which closes it: it outlives its own check.
    host = await exam.bounded(() => takePlace(url, undefined, exam.signal));
    const { services } = host.mailbox;
    const { turn } = services;
    await Promise.all([
      examineMessages(exam, url, host, hosts),
      !only && checkNats(exam, hosts, services.stun),
      turn && !only && exam.check('turn', (signal) => checkTurn(exam, turn, new URL(url).hostname, signal)),
    ]);
  } catch (thrown) {
    exam.note('server', failure(asBeelineError(thrown, 'SERVER')));
  } finally {
    host?.mailbox.close();
  }
}

/** Takes the other place too: messages and the relay need both. */
async function examineMessages(
  exam: Examination,
  url: string,
  host: DoctorPlace,
  hosts: string[],
): Promise<void> {
  const { services, nameplate } = host.mailbox;
  const { relay, stun } = services;
  const server = { ok: true as const, hosts, relay, stun: [...stun], turn: services.turn !== undefined };
  let guest: DoctorPlace | undefined;
  try {
    guest = await exam.bounded(() => takePlace(url, nameplate, exam.signal));
    const [from, to] = [guest, host];
    const ms = await exam.bounded(() => messageTime(from, to)).catch(() => undefined);
    exam.note('server', { ...server, ...(ms !== undefined && { ms }) });
    if (!relay) return;
    const number = await exam.bounded(() => host.met);
    const seats = [{ token: host.mailbox.token, guest: number }, { token: guest.mailbox.token }] as const;
    await exam.check('relay', (signal) => checkRelay(url, seats, signal));
  } catch (thrown) {
    exam.note('server', server);
    if (relay) exam.note('relay', failure(asBeelineError(thrown, 'SERVER')));
  } finally {
    guest?.mailbox.close();
  }
}
