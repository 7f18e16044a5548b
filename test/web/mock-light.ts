/** src/browser/light.ts for a test, which can hold up the reading of dropped folders by `mock.dropped`. Never shipped. */
import type * as real from '../../src/browser/light.ts';

export * from '../../src/browser/light.ts';

export const itemsOfDrop: typeof real.itemsOfDrop = async (list) => {
  const files = Array.from(list, (item) => item.getAsFile()!);
  const { mock } = globalThis as { mock?: { dropped?: Promise<void> } };
  await mock?.dropped;
  return files.map((file) => ({ path: file.name, file }));
};
