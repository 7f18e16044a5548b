/** What all processes of a browser take while something runs: private and shared memory, not files that are cached. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser } from 'puppeteer-core';
import { residentOf } from '../harness/memory.ts';

/** Bytes by which the memory grew at its highest. */
export async function growthDuring(browser: Browser, work: () => Promise<void>): Promise<number> {
  const cdp = await browser.target().createCDPSession();
  const now = async (): Promise<number> => {
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
    return processInfo.reduce((sum, { id }) => sum + residentOf(id), 0);
  };
  const before = await now();
  let peak = before;
  let over = false;
  const watching = (async () => {
    for (; !over; await delay(200)) peak = Math.max(peak, await now());
  })();
  try {
    await work();
  } finally {
    over = true;
    await watching;
  }
  return peak - before;
}
