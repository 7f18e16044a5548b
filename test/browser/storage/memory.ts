/** What all processes of a browser take while something runs: private and shared memory, not files that are cached. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser } from 'puppeteer-core';

/** Bytes by which the memory grew at its highest. */
export async function growthDuring(browser: Browser, work: () => Promise<void>): Promise<number> {
  const cdp = await browser.target().createCDPSession();
  const now = async (): Promise<number> => {
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
    return processInfo.reduce((sum, { id }) => sum + memoryOf(id), 0);
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

function memoryOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    return (kilobytes('RssAnon') + kilobytes('RssShmem')) * 1024;
  } catch {
    // It has ended.
    return 0;
  }
}
