/** `--metrics-port`: a command's numbers for Prometheus, on the loopback only. Loaded only where somebody wants them. */
import { Counter, Gauge, Registry } from 'prom-client';
import type { ServingCounts } from '../http/serving/records.ts';
import type { State } from '../node/api.ts';
import { serveMetrics } from '../server/metrics-listener.ts';
import { TABLE } from '../sync/machine.ts';
import type { ArrivalsReport } from './arrivals-report.ts';
import type { Board } from './board.ts';
import { STANDINGS } from './board.ts';
import type { Tracker } from './tracker.ts';

const STATES = Object.keys(TABLE) as State[];

/** The values of one metric by those of its one label. */
type ByLabel = readonly [label: string, values: Iterable<readonly [value: string, number: number]>];

/** What is not known yet is absent, as a stream's total is before its end: 0 would be a lie. */
class Samples {
  readonly registry = new Registry();

  gauge(name: string, help: string, value: number | undefined): this {
    if (value !== undefined) new Gauge({ name, help, registers: [this.registry] }).set(value);
    return this;
  }

  counter(name: string, help: string, value: number): this {
    new Counter({ name, help, registers: [this.registry] }).inc(value);
    return this;
  }

  gauges(name: string, help: string, by: ByLabel | undefined): this {
    if (!by) return this;
    const [label, values] = by;
    const gauge = new Gauge({ name, help, labelNames: [label], registers: [this.registry] });
    for (const [value, number] of values) gauge.set({ [label]: value }, number);
    return this;
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }
}

export function servingMetrics({ requests, open, downloads, bytes }: ServingCounts): Promise<string> {
  return new Samples()
    .counter('beeline_serve_requests_total', 'Requests that were answered.', requests)
    .gauge('beeline_serve_open', 'Files and archives under way.', open)
    .counter('beeline_serve_downloads_total', 'Whole files and archives that were had.', downloads)
    .counter('beeline_serve_bytes_total', 'Bytes of files and archives.', bytes)
    .text();
}

export function inboxMetrics({
  counts,
  arriving,
}: Pick<ArrivalsReport, 'counts' | 'arriving'>): Promise<string> {
  return new Samples()
    .gauge('beeline_inbox_devices', 'Trusted devices that are waited for.', counts.devices)
    .gauge('beeline_inbox_arriving', 'Transfers that are under way.', arriving.count)
    .gauge('beeline_rate_bytes_per_second', 'Rate of all of them.', Math.round(arriving.rate))
    .counter('beeline_inbox_received_total', 'Transfers that have arrived whole.', counts.arrivals)
    .counter('beeline_inbox_failed_total', 'Arrivals that ended otherwise.', counts.failed)
    .counter('beeline_inbox_bytes_total', 'Bytes of those that have arrived whole.', counts.bytes)
    .text();
}

/** @param board of a sender with several receivers */
export function transferMetrics(view: Tracker, board?: Board): Promise<string> {
  const kinds = new Map<string, number>();
  for (const lane of view.lanes.values()) kinds.set(lane.kind, (kinds.get(lane.kind) ?? 0) + 1);
  const states = STATES.map((state) => [state, state === view.state ? 1 : 0] as const);
  const counts = board?.counts;
  const receivers = counts && STANDINGS.map((name) => [name, counts[name]] as const);
  const wanted = board?.wanted === 'any' ? undefined : board?.wanted;
  const swarm = view.swarm;
  return new Samples()
    .gauges('beeline_receivers', 'Receivers by what becomes of them.', receivers && ['standing', receivers])
    .gauge('beeline_receivers_expected', 'Receivers that are wanted.', wanted)
    .gauge('beeline_bytes_up', 'Bytes sent to receivers; at a receiver, to other receivers.', swarm?.up)
    .gauge('beeline_bytes_down', 'Bytes fetched from other receivers.', swarm?.down)
    .gauge('beeline_peers_up', 'Receivers that this side gives to.', swarm?.to)
    .gauge('beeline_peers_down', 'Other receivers that this side fetches from.', swarm?.from)
    .gauge('beeline_bytes', 'Bytes that are safely across.', view.bytes)
    .gauge('beeline_bytes_resumed', 'Of those, bytes that were here before.', view.resumed)
    .gauge('beeline_bytes_expected', 'Bytes of the whole transfer.', view.total)
    .gauge('beeline_rate_bytes_per_second', 'Rate over the last seconds.', view.rate)
    .gauge('beeline_files', 'Files that are complete.', view.files)
    .gauge('beeline_files_expected', 'Files of the whole transfer.', view.fileCount)
    .gauges('beeline_lanes_open', 'Open lanes by kind.', kinds.size > 0 ? ['kind', kinds] : undefined)
    .gauges('beeline_state', '1 for the state that the transfer is in.', ['state', states])
    .text();
}

/** At 127.0.0.1. @param port 0: any @throws BeelineError USAGE if the port cannot be had */
export const serveCommandMetrics = (port: number, text: () => Promise<string>) =>
  serveMetrics(
    { host: '127.0.0.1', port, option: '--metrics-port' },
    { '/metrics': async () => ({ type: Registry.PROMETHEUS_CONTENT_TYPE, text: await text() }) },
  );
