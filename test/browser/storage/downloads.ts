/** What a browser has downloaded. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds. */
const DEADLINE = 240_000;

/** Waits for a download of exactly so many bytes under a name; Chromium gives it its name when it is whole. */
export async function downloaded(folder: string, name: string, size?: number): Promise<string> {
  const path = join(folder, name);
  for (const until = performance.now() + DEADLINE; ; await delay(50)) {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found && (size === undefined || found.size === size)) return path;
    if (performance.now() > until)
      throw new Error(`no ${name} of ${size} bytes, but ${listed(folder).join(', ')}`);
  }
}

function listed(folder: string): string[] {
  return readdirSync(folder).map((name) => `${name} (${statSync(join(folder, name)).size})`);
}
