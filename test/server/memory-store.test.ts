import { MemoryHub } from '../../src/server/memory-store.ts';
import { storeContract } from './store-contract.ts';

storeContract('the store in memory', false, async () => {
  const hub = new MemoryHub();
  return { open: async (options = {}) => hub.enter(options), close: async () => {} };
});
