/** Which of the trusted devices have something for this page: those that wait for it at the server. */
import { keepWatch } from '../../meeting/watch.ts';
import { dialRendezvous } from '../rendezvous.ts';
import { watchNetwork } from '../roaming.ts';
import type { PageDevice } from './devices.ts';
import { secretWith } from './keys.ts';

/**
 * The server may say so falsely. Then whoever goes there meets nobody who can prove to be that device.
 * @param changed by the devices' `id`
 * @returns the way to stop
 */
export function watchDevices(
  server: string,
  devices: readonly PageDevice[],
  changed: (id: string, calls: boolean) => void,
): () => void {
  let over = false;
  let stop = () => {};
  const known = devices.map(async (device) => {
    const { nameplate } = await secretWith(device, 'receiver');
    return [nameplate, device.id] as const;
  });
  void Promise.allSettled(known).then((found) => {
    if (over) return;
    const ids = new Map(found.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
    const tell = (calls: boolean) => (nameplate: string) => changed(ids.get(nameplate)!, calls);
    const watch = keepWatch(dialRendezvous(server), [...ids.keys()], {
      ...{ came: tell(true), gone: tell(false) },
      // Whoever looks at the page has nothing to do about these, and whoever sends is told of it.
      ...{ watching() {}, away() {}, refused() {} },
    });
    const unheard = watchNetwork(() => watch.reconnect());
    stop = () => {
      unheard();
      watch.close();
    };
  });
  return () => {
    over = true;
    stop();
  };
}
