/** `beeline outbox`: what waits to be sent to devices that are not there. The list is its product: on stdout. */
import { until } from '../../base/clock.ts';
import { escapeName } from '../../base/printable.ts';
import { hint } from '../../base/suggestion.ts';
import type { OutboxItem } from '../../node/outbox.ts';
import { parse, usage } from '../args.ts';
import { EXIT_DONE, EXIT_FAILED } from '../exit.ts';
import type { FlagValues } from '../flags.ts';
import { formatBytes, formatDuration } from '../format.ts';
import type { Host } from '../host.ts';
import { Interrupt } from '../interrupt.ts';
import { type Print, printer, writeEvent } from '../json.ts';
import { type Log, openLog } from '../log.ts';
import { OutboxReport, pathNames } from '../outbox-report.ts';
import { Screen } from '../screen.ts';

const VERBS = ['list', 'send', 'cancel', 'retry'];

/** Resolves to the exit code: 1 if something stays in the outbox that was to be sent. @throws BeelineError */
export async function outboxCommand(argv: readonly string[], host: Host): Promise<number> {
  const { positionals, flags } = parse('outbox', argv);
  const [verb = 'list', ...rest] = positionals;
  if (!VERBS.includes(verb))
    throw usage('outbox', `There is no \`beeline outbox ${escapeName(verb)}\`.${hint(verb, VERBS)}`);
  if (flags.all && verb !== 'cancel') throw usage('outbox', '--all is for `beeline outbox cancel`.');
  if (flags.wait !== undefined && verb !== 'send')
    throw usage('outbox', '--wait is for `beeline outbox send`.');
  if (flags.proxy !== undefined && verb !== 'send')
    throw usage('outbox', '--proxy is for `beeline outbox send`.');
  if (verb === 'cancel') return cancel(rest, flags, host);
  if (rest.length > 0) throw usage('outbox', `\`beeline outbox ${verb}\` takes nothing more.`);
  if (verb === 'send') return sendAll(flags, host);
  const { OutboxStore } = await host.outbox();
  const store = new OutboxStore();
  if (verb === 'retry') await store.retry();
  list(await store.items(), printer(host.stdout, flags.json ?? false), flags.json ?? false);
  return EXIT_DONE;
}

function list(items: readonly OutboxItem[], print: Print, json: boolean): void {
  if (items.length === 0 && !json) print({}, 'Nothing waits in the outbox.');
  for (const item of items) {
    const { id, device, paths, since, bytes, tried, why, failed = false, options } = item;
    const size = bytes === undefined ? '' : ` (${formatBytes(bytes)})`;
    print(
      { event: 'item', id, device, paths, since, bytes, tried, why, failed, server: options.server },
      `${id}  to ${device}: ${pathNames(paths)}${size}, ${failed ? 'failed' : 'waits'}, put in ${ago(since)}`,
      why === undefined ? [] : [`    Last tried ${ago(tried ?? since)}: ${why}`],
    );
  }
}

/** @param time milliseconds since 1970 */
function ago(time: number): string {
  return `${formatDuration(Math.max(0, Date.now() - time) / 1000)} ago`;
}

async function cancel(given: readonly string[], flags: FlagValues<'outbox'>, host: Host): Promise<number> {
  const ids = given.map((text) => (/^\d{1,9}$/.test(text) ? Number(text) : Number.NaN));
  if (flags.all ? ids.length > 0 : ids.length === 0 || ids.some(Number.isNaN))
    throw usage('outbox', '`beeline outbox cancel` needs the numbers that `beeline outbox` shows, or --all.');
  const { OutboxStore } = await host.outbox();
  const removed = await new OutboxStore().remove(flags.all ? undefined : ids);
  const print = printer(host.stdout, flags.json ?? false);
  for (const { id, device, paths } of removed)
    print({ event: 'cancelled', id, device, paths }, `Cancelled ${id}: ${pathNames(paths)} to ${device}.`);
  return EXIT_DONE;
}

/** Until nothing waits any more, or it is told to stop. */
async function sendAll(flags: FlagValues<'outbox'>, host: Host): Promise<number> {
  const { json = false, quiet = false, wait, proxy } = flags;
  const face = { json, quiet, logLevel: flags['log-level'], logFile: flags['log-file'] };
  const screen = new Screen(host.stderr, host.env);
  const interrupt = new Interrupt();
  const report = new OutboxReport((line) => {
    if (!json && !quiet) screen.line(line);
  });
  let log: Log | undefined;
  const enough = wait === undefined ? undefined : AbortSignal.timeout(wait * 1000);
  try {
    log = await openLog(face, (lines) => screen.raw(lines));
    const { deliver, OutboxStore } = await host.outbox();
    const signal = enough ? AbortSignal.any([interrupt.signal, enough]) : interrupt.signal;
    const only = proxy === undefined ? undefined : (await host.proxied())(proxy);
    if (proxy !== undefined) log?.hide(proxy);
    const delivering = deliver({ untilEmpty: true, only, signal, log: log?.logger });
    delivering.subscribe((event) => {
      report.apply(event);
      if (json) writeEvent(host.stdout, event);
      else if (!quiet) screen.status(report.lines(screen.width));
    });
    await until(interrupt.overdue, () => delivering.done);
    screen.status([]);
    const left = await new OutboxStore().items();
    if (left.length === 0) return EXIT_DONE;
    const other = left.some(
      ({ failed, options: { proxied, server } }) => !failed && (only ? !server : proxied),
    );
    const why = !other
      ? ''
      : only
        ? ' What has no server cannot go by a proxy.'
        : ' What was put in with --proxy needs --proxy here.';
    if (!json && !quiet)
      screen.line(`${left.length} left in the outbox: \`beeline outbox\` lists what.${why}`);
    return EXIT_FAILED;
  } finally {
    screen.status([]);
    log?.close();
    interrupt.close();
  }
}
