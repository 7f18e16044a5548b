/** src/browser/light.ts for a test, which can hold up the reading of dropped folders by `mock.dropped`. Never shipped. */
import type * as real from '../../src/browser/light.ts';

export * from '../../src/browser/light.ts';

export const itemsOfDrop: typeof real.itemsOfDrop = async (list) => {
  const files = Array.from(list, (item) => item.getAsFile()!);
  const { mock } = globalThis as { mock?: { dropped?: Promise<void> } };
  await mock?.dropped;
  return files.map((file) => ({ path: file.name, file }));
};

/** The devices that this browser trusts: `mock.devices`. */
interface Devices {
  devices?: real.PageDevice[];
}
const mocked = () => (globalThis as { mock?: Devices }).mock ?? {};

export const pageDevices: typeof real.pageDevices = async () => [...(mocked().devices ?? [])];
export const changePageDevice: typeof real.changePageDevice = async (id, change) => {
  mocked().devices = mocked().devices?.map((one) => (one.id === id ? { ...one, ...change } : one));
};
export const forgetPageDevice: typeof real.forgetPageDevice = async (id) => {
  mocked().devices = mocked().devices?.filter((one) => one.id !== id);
};
