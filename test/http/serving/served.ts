/** A served folder for tests, and raw requests to it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type RunningServe, type ServeOptions, serve } from '../../../src/node/serve.ts';
import { type Answer, type Ask, ask } from '../../server/raw-http.ts';

export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'beeline-serve-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface Served {
  serving: RunningServe;
  /** The path of a name, behind the link's secret. */
  at: (path: string) => string;
  get: (path: string, headers?: Record<string, string>, more?: Partial<Ask>) => Promise<Answer>;
}

/** Public unless the options say otherwise. */
export async function served(
  t: TestContext,
  paths: readonly string[],
  options: ServeOptions = {},
): Promise<Served> {
  const serving = await serve(paths, {
    port: 0,
    host: '127.0.0.1',
    access: 'public',
    configDir: folder(t),
    ...options,
  });
  t.after(() => serving.close());
  const first = new URL(serving.urls[0]!);
  const prefix = (options.access ?? 'public') === 'link' ? `/${first.pathname.split('/')[1]}` : '';
  const at = (path: string) => `${prefix}${path}`;
  return {
    serving,
    at,
    get: (path, headers = {}, more = {}) => ask(serving.port, { path: at(path), headers, ...more }),
  };
}
