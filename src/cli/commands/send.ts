/** `beeline send`. */
import { usage } from '../args.ts';
import { EXIT_DONE } from '../exit.ts';
import { shellWord } from '../format.ts';
import type { Host } from '../host.ts';
import { instructions, listed, pageLink, webLines } from '../instructions.ts';
import { type SendArgs, sendArgs } from '../options.ts';
import { shownPath } from '../report.ts';
import { readPsk } from '../secrets.ts';
import { TransferRun } from '../session.ts';

type QrCode = (text: string) => string;

/** Resolves to the exit code. @throws BeelineError; BrokenPipe */
export async function sendCommand(argv: readonly string[], host: Host): Promise<number> {
  const args = sendArgs(argv, host.env);
  const chosen = args.options.code;
  const qrCode = args.qr ? await loadQrCode() : undefined;
  const session: TransferRun = new TransferRun(host, {
    face: args.face,
    metricsPort: args.metricsPort,
    stdinTaken: args.stdin,
    report: {
      role: 'send',
      chosenCode: chosen,
      instructions: (code) => tell(session, args, qrCode, code),
      pages: (links) => tellPages(session, qrCode, links),
    },
    several: args.several,
    side: { newCode: chosen === undefined && keyFlag(args) === undefined, keeps: !('text' in args.what) },
  });
  try {
    if (chosen !== undefined) await checkCode(chosen, host);
    const psk = args.pskFile === undefined ? undefined : await readPsk(args.pskFile);
    const options = await session.prepare({ ...args.options, psk }, [chosen]);
    announce(session, args);
    const send = await host.send();
    await session.follow(send(args.what, options));
    return EXIT_DONE;
  } finally {
    session.close();
  }
}

/** Half-block characters, two rows a line, light on dark; the border is what scanners need to find it. */
async function loadQrCode(): Promise<QrCode> {
  const { renderUnicodeCompact } = await import('uqr');
  return (text) => `${renderUnicodeCompact(text, { border: 2 })}\n`;
}

/** A code of the person's own must not look like a mistyped one, or receivers refuse it. @throws BeelineError USAGE */
async function checkCode(text: string, host: Host): Promise<void> {
  const { parseCode, doubtAbout, describeDoubt } = await host.codes();
  const doubt = doubtAbout(parseCode(text).password);
  if (doubt)
    throw usage(
      'send',
      `Choose another code. The receiver would take it for a mistyped one. ${describeDoubt(doubt)}`,
    );
}

/** The first lines. A code comes later, as an event; a key or a device needs none. */
function announce({ report }: TransferRun, args: SendArgs): void {
  const { what } = args;
  report.say('text' in what ? 'Sending a text' : `Sending ${listed(what.map(shownPath))}`);
  for (const name of args.ignored) report.say(`--${name} is for the receiving side; it does nothing here.`);
  const how = keyFlag(args);
  if (how)
    report.say('', instructions(how, args.options, { several: args.several !== undefined }), waiting(args));
}

function waiting({ several, stdin }: SendArgs): string {
  if (several === undefined) return 'Waiting for the other side...';
  if (several === 'any') return 'Waiting for receivers. Ctrl-C ends it.';
  return `Waiting for ${several} receivers${stdin ? '; it begins when all are there' : ''}...`;
}

function keyFlag(args: SendArgs): string | undefined {
  if (args.pskFile !== undefined) return `--psk-file ${shellWord(args.pskFile)}`;
  // Each side has its own name for the other, so this one cannot know what to write there.
  return args.options.device === undefined ? undefined : '--device NAME-OF-THIS-DEVICE-THERE';
}

function tell(
  { report, screen }: TransferRun,
  args: SendArgs,
  qrCode: QrCode | undefined,
  code: string,
): void {
  report.say('', `Code: ${code}`, '');
  const { server } = args.options;
  // A telephone's camera can do something with a link; with a page of this process, that comes next.
  if (qrCode && !args.options.web) screen.raw(qrCode(server === undefined ? code : pageLink(server, code)));
  report.say(instructions(shellWord(code), args.options, { code, several: args.several !== undefined }));
  const keys = screen.live && !args.stdin ? ' (p pauses, r resumes, c twice cancels)' : '';
  report.say(`${waiting(args)}${keys}`);
}

function tellPages(
  { report, screen }: TransferRun,
  qrCode: QrCode | undefined,
  links: readonly string[],
): void {
  if (qrCode && links[0] !== undefined) screen.raw(qrCode(links[0]));
  report.say(webLines(links));
}
