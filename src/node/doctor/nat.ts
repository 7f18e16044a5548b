/** How the server's STUN ports see this machine. */

import { familyOf, scopeOf } from '../../base/addresses.ts';
import { fault } from '../../base/errors.ts';
import { probeTcp, probeUdp, type TcpNat } from '../../nat/stun/nat.ts';
import type { NatFacts } from './diagnosis.ts';
import type { Examination } from './examination.ts';
import { localAddresses } from './local.ts';

/** Notes nothing for a family that the server or this machine does not have. */
export async function checkNats(
  exam: Examination,
  hosts: readonly string[],
  ports: readonly number[],
): Promise<void> {
  if (ports.length === 0) return;
  const own = ownAddresses();
  await Promise.all(
    ([4, 6] as const).map(async (family) => {
      const has = (host: string) => familyOf(host) === family;
      const host = hosts.find(has);
      // Without a name server nothing is sent in any family: IPv4 stands for both.
      if (host === undefined && (family === 6 || hosts.length > 0)) return;
      if (host !== undefined && scopeOf(host) !== 'loopback' && !own.some(has)) return;
      const servers = host === undefined ? [] : ports.map((port) => ({ host, port }));
      await Promise.all([
        exam.check(`udp${family}`, async (signal) => {
          const nat = await probeUdp(named(servers), signal);
          return { ...facts(nat, 'UDP'), filtering: nat.filtering };
        }),
        exam.check(`tcp${family}`, async (signal) => facts(await probeTcp(named(servers), signal), 'TCP')),
      ]);
    }),
  );
}

/** Those that can be sent from to another network. */
function ownAddresses(): string[] {
  try {
    const { addresses } = localAddresses();
    return addresses.filter(({ scope }) => scope !== 'link-local').map(({ address }) => address);
  } catch {
    return [];
  }
}

function named<T>(servers: readonly T[]): readonly T[] {
  if (servers.length > 0) return servers;
  throw fault('SERVER_NAME_UNKNOWN');
}

function facts({ blocked, mapping, mapped, roundTrip }: TcpNat, transport: string): NatFacts {
  if (blocked || !mapped || roundTrip === undefined) throw fault('STUN_SILENT', { transport });
  return { ms: Math.round(roundTrip * 10) / 10, mapping, host: mapped.host };
}
