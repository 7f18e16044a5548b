/** Notices that this machine's addresses changed, or that it slept: both leave connections dead that do not know it. */
import { allHosts } from '../addresses.ts';

/** Milliseconds between looks. Asking for the addresses costs some microseconds, and no system tells Node of changes. */
const LOOK = 1_000;
/** A look that comes so much too late, by the wall clock, says that the machine slept. */
const SLEPT = 10_000;

export interface Watch {
  close(): void;
}

/** @param changed gets the addresses that there are now, and whether one of before is gone, or the machine slept */
export function watchNetwork(changed: (hosts: ReadonlySet<string>, lost: boolean) => void): Watch {
  let before = new Set(allHosts());
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    const slept = now - last > LOOK + SLEPT;
    last = now;
    const hosts = new Set(allHosts());
    const lost = slept || [...before].some((host) => !hosts.has(host));
    const found = [...hosts].some((host) => !before.has(host));
    before = hosts;
    if (lost || found) changed(hosts, lost);
  }, LOOK);
  return { close: () => clearInterval(timer) };
}
