/** Checks of this machine alone. */
import { networkInterfaces } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { scopeOf } from '../../base/addresses.ts';
import { fault } from '../../base/errors.ts';
import { LanLinks } from '../../meeting/lan/links.ts';
import { SERVICE } from '../../meeting/lan/records.ts';
import { loadUdx } from '../../transports/udx/socket.ts';
import type { Facts } from './diagnosis.ts';

/** Milliseconds in which a question to the group comes back to the machine that asked it. */
const ECHO = 800;
/** More interfaces than a person would read of; container hosts have hundreds. */
const MOST = 32;

type Listing = ReturnType<typeof networkInterfaces>;

/** @throws BeelineError NO_PATH if there is nothing but loopback. */
export function localAddresses(listing: Listing = networkInterfaces()): Facts['addresses'] {
  const addresses = Object.entries(listing)
    .flatMap(([name, infos = []]) => infos.map((info) => ({ name, ...info })))
    .filter(({ internal }) => !internal)
    .map(({ name, address }) => ({ interface: name, address, scope: scopeOf(address) }))
    .slice(0, MOST);
  if (addresses.length === 0) throw fault('NO_NETWORK');
  return { addresses };
}

/**
 * Asks the mDNS group on every link whether it hears itself. That the sockets open says little, since a group that was not
 * joined and a firewall that drops are both silent.
 * @throws BeelineError NO_PATH if no link but loopback does.
 */
export async function checkLan(signal: AbortSignal): Promise<Facts['lan']> {
  const heard = new Set<string>();
  const hearing = new LanLinks('answer', {
    packet: ({ type }, _source, { iface }) => {
      if (type === 'query' && !iface.loopback) heard.add(iface.name);
    },
  });
  const asking = new LanLinks('ask', { packet: () => {} });
  try {
    await Promise.all([hearing.refresh(), asking.refresh()]);
    const wanted = new Set(asking.all.flatMap(({ iface }) => (iface.loopback ? [] : [iface.name])));
    // Twice, since a datagram may be lost and the group is joined by then for sure.
    for (let round = 0; round < 2 && heard.size < wanted.size && !signal.aborted; round++) {
      await Promise.all(
        asking.all.map((link) => link.query({ questions: [{ type: 'PTR', name: SERVICE }] })),
      );
      // Aborted, there is nothing to wait for.
      await setTimeout(ECHO / 2, undefined, { signal }).catch(() => {});
    }
  } finally {
    hearing.close();
    asking.close();
  }
  if (heard.size > 0) return { interfaces: [...heard] };
  throw fault('MULTICAST_SILENT');
}

/** @throws BeelineError NO_PATH */
export async function checkUdx(): Promise<Facts['udx']> {
  await loadUdx();
  return {};
}
