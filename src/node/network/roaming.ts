/** Notices that this machine's addresses changed, or that it slept: both leave connections dead that do not know it. */
import { sharedWatch } from '../../base/callback.ts';
import { localAddress } from '../../nat/ice/address.ts';
import { allHosts } from '../addresses.ts';

/** Milliseconds between looks. Asking for the addresses costs some microseconds, and no system tells Node of changes. */
const LOOK = 1_000;
/** A look that comes so much too late, by the wall clock, says that the machine slept. */
const SLEPT = 10_000;
/** Anywhere in the world (RFC 5737, RFC 3849): which of our addresses leads there, the routing table knows. */
const WORLD = ['198.51.100.1', '2001:db8::1'].map((host) => ({ host, port: 9 }));
const NOWHERE = /^(?:0\.0\.0\.0|\[::\]):/;

/**
 * - `moved`: the address from which the world was reached is gone or another, or the machine slept.
 * - `joined`: there is one more, and what was known still holds.
 * - `aside`: others came or went, as those of containers do: the world is reached as before.
 */
export type Change = 'moved' | 'joined' | 'aside';

/**
 * For all networks of this process: each is told in the same turn, with the addresses that there are now.
 * @returns the way to stop
 */
export const watchNetwork = sharedWatch((changed: (hosts: ReadonlySet<string>, change: Change) => void) => {
  let before = new Set(allHosts());
  /** Asked for after a while: most transfers are over before it matters. */
  let ways: Promise<string[]> | undefined;
  let last = Date.now();
  let closed = false;
  const timer = setInterval(async () => {
    const now = Date.now();
    const slept = now - last > LOOK + SLEPT;
    last = now;
    const hosts = new Set(allHosts());
    const lost = [...before].some((host) => !hosts.has(host));
    const found = [...hosts].some((host) => !before.has(host));
    before = hosts;
    if (!slept && !lost && !found) {
      ways ??= waysOut();
      return;
    }
    const was = ways;
    ways = waysOut();
    const change = slept || !was ? 'moved' : changeOf(await was, await ways, lost);
    if (!closed) changed(hosts, change);
  }, LOOK);
  return () => {
    closed = true;
    clearInterval(timer);
  };
});

/** @param was and @param is for each family the address that leads to the world, empty for none. @param lost some address is gone */
export function changeOf(was: readonly string[], is: readonly string[], lost: boolean): Change {
  // A network without a way out: nothing tells which of its addresses matter.
  if ([...was, ...is].every((way) => way === '')) return lost ? 'moved' : 'joined';
  if (was.some((way, i) => way !== '' && way !== is[i])) return 'moved';
  return was.some((way, i) => way !== is[i]) ? 'joined' : 'aside';
}

/** No packet is sent for it. */
async function waysOut(): Promise<string[]> {
  const all = await Promise.all(WORLD.map((to) => localAddress(to, 0)));
  return all.map((way) => (NOWHERE.test(way) ? '' : way));
}
