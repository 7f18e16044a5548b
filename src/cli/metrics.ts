/**
 * `--metrics-port`: the transfer's numbers in the Prometheus text format, version 0.0.4, on the loopback only. It is
 * written by hand: a client library brings registries, collectors and default metrics for a dozen lines of text.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BeelineError } from '../base/errors.ts';
import type { ServingCounts } from '../http/serving/records.ts';
import type { State } from '../node/api.ts';
import { TABLE } from '../sync/machine.ts';
import type { Board } from './board.ts';
import { STANDINGS } from './board.ts';
import type { Tracker } from './tracker.ts';

const STATES = Object.keys(TABLE) as State[];

type Samples = number | undefined | readonly string[];

/** What is not known yet is absent, as a stream's total is before its end: 0 would be a lie. */
function metric(name: string, help: string, value: Samples, type: 'gauge' | 'counter' = 'gauge'): string[] {
  const samples = typeof value === 'number' ? [` ${value}`] : (value ?? []);
  if (samples.length === 0) return [];
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples.map((sample) => name + sample)];
}

export function servingMetrics({ requests, open, downloads, bytes }: ServingCounts): string {
  return [
    ...metric('beeline_serve_requests_total', 'Requests that were answered.', requests, 'counter'),
    ...metric('beeline_serve_open', 'Files and archives under way.', open),
    ...metric(
      'beeline_serve_downloads_total',
      'Whole files and archives that were had.',
      downloads,
      'counter',
    ),
    ...metric('beeline_serve_bytes_total', 'Bytes of files and archives.', bytes, 'counter'),
    '',
  ].join('\n');
}

/** @param board of a sender with several receivers */
export function metricsText(view: Tracker, board?: Board): string {
  const kinds = new Map<string, number>();
  for (const lane of view.lanes.values()) kinds.set(lane.kind, (kinds.get(lane.kind) ?? 0) + 1);
  const lanes = [...kinds].map(([kind, n]) => `{kind="${label(kind)}"} ${n}`);
  const states = STATES.map((state) => `{state="${state}"} ${state === view.state ? 1 : 0}`);
  const counts = board?.counts;
  const receivers = counts && STANDINGS.map((name) => `{standing="${name}"} ${counts[name]}`);
  const wanted = board?.wanted === 'any' ? undefined : board?.wanted;
  const swarm = view.swarm;
  return [
    ...metric('beeline_receivers', 'Receivers by what becomes of them.', receivers),
    ...metric('beeline_receivers_expected', 'Receivers that are wanted.', wanted),
    ...metric('beeline_bytes_up', 'Bytes sent to receivers; at a receiver, to other receivers.', swarm?.up),
    ...metric('beeline_bytes_down', 'Bytes fetched from other receivers.', swarm?.down),
    ...metric('beeline_peers_up', 'Receivers that this side gives to.', swarm?.to),
    ...metric('beeline_peers_down', 'Other receivers that this side fetches from.', swarm?.from),
    ...metric('beeline_bytes', 'Bytes that are safely across.', view.bytes),
    ...metric('beeline_bytes_resumed', 'Of those, bytes that were here before.', view.resumed),
    ...metric('beeline_bytes_expected', 'Bytes of the whole transfer.', view.total),
    ...metric('beeline_rate_bytes_per_second', 'Rate over the last seconds.', view.rate),
    ...metric('beeline_files', 'Files that are complete.', view.files),
    ...metric('beeline_files_expected', 'Files of the whole transfer.', view.fileCount),
    ...metric('beeline_lanes_open', 'Open lanes by kind.', lanes),
    ...metric('beeline_state', '1 for the state that the transfer is in.', states),
    '',
  ].join('\n');
}

/** Label values escape backslash, quote and line feed. */
function label(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/**
 * Serves until closed; never keeps the process alive.
 * @param port 0: any
 * @throws BeelineError USAGE if the port cannot be had
 */
export async function serveMetrics(
  port: number,
  text: () => string,
): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(request.method === 'GET' ? 404 : 405).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text());
  });
  server.maxConnections = 16;
  server.requestTimeout = 5_000;
  server.unref();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch (cause) {
    const why = (cause as Error).message;
    throw new BeelineError('USAGE', `--metrics-port ${port} cannot be used: ${why}. Choose another.`, {
      cause,
    });
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
