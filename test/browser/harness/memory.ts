/** How much memory a Chromium uses while something runs: the page's and its workers' heaps, and all of its processes. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, CDPSession } from 'puppeteer-core';
import type { BeelinePage } from './page.ts';

/** Bytes. */
export interface Sample {
  /** JavaScript objects of the page and its workers, with what lies outside the heap for them (array buffers). */
  heap: number;
  /** Private and shared memory of all of the browser's processes; not the files that the kernel caches. */
  resident: number;
  /** Of the transfer, 0 to 1. */
  progress: number;
}

export class MemoryWatch {
  readonly samples: Sample[] = [];
  #over = false;
  /** What the page said last. */
  #said: { heap: number; progress: number } | undefined;
  #running: Promise<void> | undefined;

  /** Begins to sample, four times a second. */
  static start(browser: Browser, page: BeelinePage): MemoryWatch {
    const watch = new MemoryWatch();
    watch.#running = watch.#run(browser, page);
    return watch;
  }

  /** Ends the sampling. @throws what kept it from sampling */
  async stop(): Promise<Sample[]> {
    this.#over = true;
    await this.#running;
    return this.samples;
  }

  /** The most of something while the progress was in this range. */
  peak(what: 'heap' | 'resident', from = 0, to = 1): number {
    const seen = this.samples.filter(({ progress }) => progress >= from && progress <= to);
    return Math.max(0, ...seen.map((sample) => sample[what]));
  }

  async #run(browser: Browser, page: BeelinePage): Promise<void> {
    const system = await browser.target().createCDPSession();
    // A page that is busy answers late: what the processes take is looked at all the same.
    const asking = this.#ask(page);
    asking.catch(() => {});
    for (; !this.#over; await delay(250)) {
      const { processInfo } = await system.send('SystemInfo.getProcessInfo');
      const resident = processInfo.reduce((sum, { id }) => sum + residentOf(id), 0);
      if (this.#said) this.samples.push({ ...this.#said, resident });
    }
    await asking;
    await system.detach();
  }

  async #ask(page: BeelinePage): Promise<void> {
    const cdp = page.watch.cdp!;
    for (; !this.#over; await delay(250)) {
      const heaps = await Promise.all([cdp, ...page.page.workers().map(({ client }) => client)].map(heapOf));
      const progress = await page.progress();
      if (progress !== undefined) this.#said = { heap: heaps.reduce((a, b) => a + b, 0), progress };
    }
  }
}

async function heapOf(session: CDPSession): Promise<number> {
  try {
    const usage = await session.send('Runtime.getHeapUsage');
    return usage.usedSize + (usage.backingStorageSize ?? 0);
  } catch {
    // A worker that has ended since.
    return 0;
  }
}

/** Private and shared memory of a process, not files that are cached; 0 once it has ended. */
export function residentOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    return (kilobytes('RssAnon') + kilobytes('RssShmem')) * 1024;
  } catch {
    return 0;
  }
}

export const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
