/** `beeline send`. */
import { BeelineError, fault } from '../../base/errors.ts';
import type { SendOptions } from '../../node/api.ts';
import { usage } from '../args.ts';
import { EXIT_DONE } from '../exit.ts';
import { shellWord } from '../format.ts';
import type { Host } from '../host.ts';
import { instructions, listed, pageLink, webLines } from '../instructions.ts';
import { writeEvent } from '../json.ts';
import { type SendArgs, sendArgs } from '../options.ts';
import { shownPath } from '../report.ts';
import { readPsk } from '../secrets.ts';
import { TransferRun } from '../session.ts';

type QrCode = (text: string) => string;

/** Resolves to the exit code. @throws BeelineError; BrokenPipe */
export async function sendCommand(argv: readonly string[], host: Host): Promise<number> {
  const args = sendArgs(argv, host.env);
  if (args.dryRun) return (await import('./dry-run.ts')).dryRun(args, host);
  const chosen = args.options.code;
  const session: TransferRun = new TransferRun(host, {
    face: args.face,
    metricsPort: args.metricsPort,
    stdinTaken: args.stdin,
    report: {
      role: 'send',
      chosenCode: chosen,
      instructions: (code) => tell(session, args, qrCode, code),
      pages: (links) => tellPages(session, args, qrCode, links),
    },
    several: args.several,
    side: { newCode: chosen === undefined && keyFlag(args) === undefined, keeps: !('text' in args.what) },
  });
  let qrCode: QrCode | undefined;
  try {
    if (args.qr || hasLink(args, session)) qrCode = await loadQrCode();
    if (chosen !== undefined && !args.asTyped) await checkCode(chosen, host);
    const psk = args.pskFile === undefined ? undefined : await readPsk(args.pskFile);
    const proxied = args.proxy === undefined ? {} : (await host.proxied())(args.proxy);
    const options = await session.prepare({ ...args.options, ...proxied, psk }, [chosen, args.proxy]);
    await checkDevices(args, host);
    announce(session, args);
    const first = await goFirst(args, host, session);
    try {
      await sendNow(args, options, host, session);
    } finally {
      first?.();
    }
    return EXIT_DONE;
  } finally {
    session.close();
  }
}

async function sendNow(
  args: SendArgs,
  options: SendOptions,
  host: Host,
  session: TransferRun,
): Promise<void> {
  const send = await host.send();
  if (args.later === undefined) return session.follow(send(args.what, options));
  const { Later } = await import('../later.ts');
  const later = new Later();
  const { signal: interrupted } = session.interrupt;
  try {
    const transfer = send(args.what, { ...options, signal: AbortSignal.any([interrupted, later.signal]) });
    transfer.subscribe((event) => later.hear(event));
    await session.follow(transfer);
  } catch (thrown) {
    if (interrupted.aborted || !(thrown instanceof BeelineError) || !later.is(thrown)) throw thrown;
    const paths = args.what as readonly string[];
    const { item, delivered } = await later.queue(
      host,
      args.later,
      paths,
      args.options,
      args.proxy !== undefined,
    );
    const { id, device } = item;
    const queued = { event: 'queued', item: id, device, paths: item.paths, delivered };
    if (args.face.json) writeEvent(host.stdout, queued);
    session.report.say(
      `${device} is not there. It is item ${id} of the outbox now: leave the files where they are.`,
      delivered
        ? 'It is sent when that device is there.'
        : `It is sent when that device is there, and \`beeline listen\` or \`beeline outbox send\` runs here${args.proxy === undefined ? '' : ', with --proxy'}.`,
    );
  } finally {
    later.close();
  }
}

/** What waits in the outbox for the same device makes way meanwhile. */
async function goFirst(
  { options: { device, configDir } }: SendArgs,
  host: Host,
  session: TransferRun,
): Promise<(() => void) | undefined> {
  const [name, ...others] = [device ?? []].flat();
  if (name === undefined || others.length > 0) return undefined;
  // What is wrong with the devices is told by what needs them.
  const known = await host.devices(configDir).catch(() => undefined);
  const key = known?.find(name)?.key;
  const waits = () => session.report.say('What is being sent to that device from the outbox ends first.');
  if (key === undefined) return undefined;
  const outbox = await host.outbox();
  return outbox.goFirst(key, session.interrupt.signal, waits);
}

/** Half-block characters, two rows a line, light on dark; the border is what scanners need to find it. */
async function loadQrCode(): Promise<QrCode> {
  const { renderUnicodeCompact } = await import('uqr');
  return (text) => `${renderUnicodeCompact(text, { border: 2 })}\n`;
}

/** Rows that stay for what is said around a QR code that nobody asked for. */
const ROWS_AROUND = 12;

/** There is a terminal, and a link for a telephone's camera. */
function hasLink({ face, options: { server, web } }: SendArgs, { screen }: TransferRun): boolean {
  return screen.live && !face.json && !face.quiet && (web === true || server !== undefined);
}

/** Asked for, or where there is room for it. Wrapped, no camera could read it. */
function drawQr(
  { report, screen }: TransferRun,
  { qr }: SendArgs,
  qrCode: QrCode | undefined,
  text: string,
): void {
  if (!qrCode) return;
  const drawn = qrCode(text);
  const lines = drawn.split('\n');
  const wide = lines[0]!.length;
  if (screen.live && wide > screen.width) {
    if (qr) report.say(`The QR code needs a terminal of ${wide + 1} columns.`);
  } else if (qr || lines.length + ROWS_AROUND <= screen.height) screen.raw(drawn);
}

/** A code of the person's own must not look like a mistyped one, or receivers refuse it. @throws BeelineError USAGE */
async function checkCode(text: string, host: Host): Promise<void> {
  const { parseCode, doubtAbout, describeDoubt, lacksNumber } = await host.codes();
  const code = parseCode(text);
  if (lacksNumber(code))
    throw usage(
      'send',
      'Put a number and a dash before that code, or add --as-typed: its receiver would miss them.',
    );
  const doubt = doubtAbout(code.password);
  if (doubt)
    throw usage(
      'send',
      `Choose another code, or add --as-typed. The receiver would take this one for a mistyped one. ${describeDoubt(doubt)}`,
    );
}

/** Before anything is said of what to do on a device. @throws BeelineError USAGE if one is not trusted here */
async function checkDevices({ options: { device, configDir } }: SendArgs, host: Host): Promise<void> {
  if (device === undefined) return;
  // What is wrong with the devices is told by what needs them.
  const known = await host.devices(configDir).catch(() => undefined);
  const unknown = known && [device].flat().find((name) => !known.find(name));
  if (unknown !== undefined) throw fault('DEVICE_UNKNOWN', { name: unknown });
}

/** The first lines. A code comes later, as an event; a key or a device needs none. */
function announce({ report }: TransferRun, args: SendArgs): void {
  const { what } = args;
  report.say('text' in what ? 'Sending a text' : `Sending ${listed(what.map(shownPath))}`);
  for (const name of args.ignored) report.say(`--${name} is for the receiving side; it does nothing here.`);
  const how = keyFlag(args);
  const listens = args.options.device !== undefined;
  if (how)
    report.say(
      '',
      instructions(how, args.options, { several: args.several !== undefined, listens }),
      waiting(args),
    );
}

function waiting({ several, stdin, options: { device } }: SendArgs): string {
  if (several === undefined)
    return `Waiting for ${device === undefined ? 'the other side' : [device].flat()[0]}...`;
  if (several === 'any') return 'Waiting for receivers. Ctrl-C ends it.';
  return `Waiting for ${several} receivers${stdin ? '; it begins when all are there' : ''}...`;
}

function keyFlag(args: SendArgs): string | undefined {
  if (args.pskFile !== undefined) return `--psk-file ${shellWord(args.pskFile)}`;
  // Each side has its own name for the other, so this one cannot know what to write there.
  return args.options.device === undefined ? undefined : '--device NAME-OF-THIS-DEVICE-THERE';
}

function tell(run: TransferRun, args: SendArgs, qrCode: QrCode | undefined, code: string): void {
  const { report, screen } = run;
  report.say('', `Code: ${code}`, '');
  const { server } = args.options;
  // A telephone's camera can do something with a link; with a page of this process, that comes next.
  if (!args.options.web) drawQr(run, args, qrCode, server === undefined ? code : pageLink(server, code));
  // The receiver's command would ask whether it is mistyped.
  const how = args.asTyped ? `${shellWord(code)} --as-typed` : shellWord(code);
  report.say(instructions(how, args.options, { code, several: args.several !== undefined }));
  const keys = screen.live && !args.stdin ? ' (p pauses, r resumes, c twice cancels)' : '';
  report.say(`${waiting(args)}${keys}`);
}

function tellPages(
  run: TransferRun,
  args: SendArgs,
  qrCode: QrCode | undefined,
  links: readonly string[],
): void {
  if (links[0] !== undefined) drawQr(run, args, qrCode, links[0]);
  run.report.say(webLines(links));
}
