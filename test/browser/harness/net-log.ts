/** What a Chromium asked the network for, all of it, by its own log (`--log-net-log`), once it has closed. */
import { readFileSync } from 'node:fs';

export interface Asked {
  url: string;
  /** The origin of the page that asked; 'not an origin' and the like when the browser did so for itself. */
  initiator: string;
}

interface NetLog {
  constants: { logEventTypes: Record<string, number> };
  events: { type: number; params?: { url?: string; initiator?: string } }[];
}

/** Every URL in the log's requests, WebSockets and navigations among them. */
export function readNetLog(path: string): Asked[] {
  const log = JSON.parse(readFileSync(path, 'utf8')) as NetLog;
  const names = new Map(Object.entries(log.constants.logEventTypes).map(([name, type]) => [type, name]));
  return log.events
    .filter(({ type, params }) => names.get(type) === 'URL_REQUEST_START_JOB' && params?.url !== undefined)
    .map(({ params }) => ({ url: params!.url!, initiator: params!.initiator ?? '' }));
}
