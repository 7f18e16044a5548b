/** A server's numbers for Prometheus. Loaded only where somebody wants them. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { ServerReport } from './report.ts';

/** The event loop's lag is measured at this resolution, in milliseconds. */
const LAG_RESOLUTION_MS = 10;

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** @returns the text of the exposition format, made anew at each call */
export function serverMetrics(report: () => ServerReport): { type: string; text(): Promise<string> } {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_RESOLUTION_MS });
  const gauge = (name: string, help: string, value: (now: ServerReport) => number) =>
    new Gauge({
      ...{ name, help, registers: [registry] },
      collect() {
        this.set(value(report()));
      },
    });
  const counter = (
    name: string,
    help: string,
    labelNames: readonly string[],
    samples: (now: ServerReport) => readonly Sample[],
  ) =>
    new Counter({
      ...{ name, help, labelNames, registers: [registry] },
      collect() {
        this.reset();
        for (const [labels, value] of samples(report())) this.inc(labels, value);
      },
    });
  const total = (name: string, help: string, value: (now: ServerReport) => number) =>
    counter(name, help, [], (now) => [[{}, value(now)]]);
  const each = (label: string, values: object): Sample[] =>
    Object.entries(values).map(([key, value]) => [{ [label]: key }, value as number]);

  counter('beeline_server_info', 'Always 1; the label has the version.', ['version'], ({ version }) => [
    [{ version }, 1],
  ]);
  gauge('beeline_ready', '1 while somebody new may be sent here.', ({ unready }) => (unready ? 0 : 1));

  gauge('beeline_meetings', 'Meetings there are.', ({ counts }) => counts.mailboxes);
  gauge('beeline_meetings_limit', 'Meetings there may be.', ({ limits }) => limits.mailboxes);
  total('beeline_meetings_opened_total', 'Meetings that were opened.', ({ tally }) => tally.meetings);
  gauge('beeline_connections', 'Connections at the rendezvous.', ({ counts }) => counts.connections);
  gauge('beeline_connections_limit', 'Connections that may wait there.', ({ limits }) => limits.connections);
  gauge('beeline_near', 'Pages that show themselves to devices near them.', ({ counts }) => counts.near);
  counter('beeline_messages_total', 'Messages of clients at the rendezvous.', ['type'], ({ tally }) =>
    each('type', tally.said),
  );
  counter(
    'beeline_refusals_total',
    'Clients that were refused, or put out: where, by which code, for which reason.',
    ['at', 'code', 'reason'],
    ({ tally }) => tally.refusals.map(({ at, code, reason, count }) => [{ at, code, reason }, count]),
  );

  gauge('beeline_relay_connections', 'Connections at the relay.', ({ counts }) => counts.relayConnections);
  gauge('beeline_relay_pairs', 'Lanes that the relay carries.', ({ counts }) => counts.relayPairs);
  gauge('beeline_relay_pairs_limit', 'Lanes that it may carry.', ({ limits }) => limits.relayPairs);
  total('beeline_relay_pairs_total', 'Lanes that it has begun to carry.', ({ tally }) => tally.relayPairs);
  total('beeline_relay_bytes_total', 'Bytes that it has carried.', ({ counts }) => counts.relayBytes);
  total(
    'beeline_turn_credentials_total',
    'Credentials for the TURN server.',
    ({ tally }) => tally.turnCredentials,
  );
  counter(
    'beeline_stun_total',
    'STUN: answers over UDP, and connections that asked over TCP.',
    ['over'],
    ({ tally }) => each('over', tally.stun),
  );
  return { type: registry.contentType, text: () => registry.metrics() };
}
