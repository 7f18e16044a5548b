/** `beeline listen`: an inbox that stays until it is told to stop. */
import { resolve } from 'node:path';
import { until } from '../../base/clock.ts';
import { InTurn } from '../../base/in-turn.ts';
import type { Device } from '../../identity/devices.ts';
import type { OfferSummary } from '../../node/api.ts';
import { ArrivalsReport } from '../arrivals-report.ts';
import { EXIT_DONE } from '../exit.ts';
import type { Host } from '../host.ts';
import { Interrupt } from '../interrupt.ts';
import { writeEvent } from '../json.ts';
import { type Log, openLog } from '../log.ts';
import { listenArgs } from '../options.ts';
import { Prompt } from '../prompt.ts';
import { describeOffer } from '../questions.ts';
import { Screen } from '../screen.ts';
import { webAccess } from '../web-access.ts';

/** Resolves to the exit code: 0 also after a signal, for that is how an inbox ends. @throws BeelineError */
export async function listenCommand(argv: readonly string[], host: Host): Promise<number> {
  const { face, metricsPort, options, proxy, access: who } = listenArgs(argv, host.env);
  const screen = new Screen(host.stderr, host.env);
  const interrupt = new Interrupt();
  const prompt = new Prompt({
    ...{ input: host.stdin, output: host.stderr, interrupt },
    before: () => screen.status([]),
  });
  const report = new ArrivalsReport(screen, host.stdout, face.json || face.quiet);
  let log: Log | undefined;
  let metrics: { close(): void } | undefined;
  try {
    log = await openLog(face, (lines) => screen.raw(lines));
    const access = who && (await webAccess('listen', who, prompt));
    if (typeof access === 'object') log?.hide(access.password);
    if (metricsPort !== undefined) {
      const { inboxMetrics, serveCommandMetrics } = await import('../metrics.ts');
      const served = await serveCommandMetrics(metricsPort, () => inboxMetrics(report));
      metrics = served;
      report.say(`Metrics: ${served.url}`);
    }
    const listen = await host.listen();
    const only = proxy === undefined ? undefined : (await host.proxied())(proxy);
    if (proxy !== undefined) log?.hide(proxy);
    const inbox = listen({
      ...options,
      ...(only && { ...only, deliverWith: only }),
      ...{ signal: interrupt.signal, log: log?.logger },
      ...(access && { http: { ...options.http, ...(access !== 'link' && { access }) } }),
      ...(prompt.possible && { ask: asking(prompt, screen, options.to) }),
    });
    inbox.subscribe((event) => {
      if (event.event === 'uploads')
        for (const link of event.links) {
          const [, secret = ''] = new URL(link).pathname.split('/');
          if (secret !== '') log?.hide(secret);
        }
      report.apply(event);
      if (face.json) writeEvent(host.stdout, event);
    });
    await until(interrupt.overdue, () => inbox.done);
    return EXIT_DONE;
  } finally {
    screen.status([]);
    metrics?.close();
    log?.close();
    interrupt.close();
  }
}

/** One question at a time. */
function asking(prompt: Prompt, screen: Screen, to: string) {
  const turns = new InTurn();
  return (offer: OfferSummary, device: Device): Promise<boolean> =>
    turns.run(async () => {
      screen.line(describeOffer(offer));
      const where =
        offer.kind === 'text' ? '' : ` into ${resolve(device.inbox?.to ?? to, offer.within ?? '')}`;
      return prompt.confirm(`Accept${where}? [y/N] `);
    });
}
