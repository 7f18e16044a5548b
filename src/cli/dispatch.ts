/** From arguments to an exit code: picks the command, and tells whatever goes wrong, once and in one sentence. */
import { asBeelineError, BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { BrokenPipe, EXIT_DONE, EXIT_FAILED, exitCode } from './exit.ts';
import { COMMANDS, type Command, TOPICS } from './flags.ts';
import { withHint } from './hints.ts';
import type { Host } from './host.ts';
import { Mistakes } from './mistakes.ts';
import { hint } from './near.ts';

type Run = (argv: readonly string[], host: Host) => Promise<number>;

const LOADERS: { readonly [C in Command]: () => Promise<Run> } = {
  send: async () => (await import('./commands/send.ts')).sendCommand,
  receive: async () => (await import('./commands/receive.ts')).receiveCommand,
  listen: async () => (await import('./commands/listen.ts')).listenCommand,
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  outbox: async () => (await import('./commands/outbox.ts')).outboxCommand,
  server: async () => (await import('./commands/server.ts')).serverCommand,
  trust: async () => (await import('./commands/trust.ts')).trustCommand,
  resume: async () => (await import('./commands/resume.ts')).resumeCommand,
  verify: async () => (await import('./commands/verify.ts')).verifyCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  config: async () => (await import('./commands/config.ts')).configCommand,
  completion: async () => (await import('./commands/completion.ts')).completionCommand,
};

/** Resolves to the exit code; never rejects. @param locate says where what is wrong stands, if it was not typed */
export async function dispatch(
  argv: readonly string[],
  host: Host,
  locate: (error: unknown) => unknown = (error) => error,
): Promise<number> {
  try {
    return await choose(argv, host);
  } catch (thrown) {
    return fail(locate(thrown), argv, host);
  }
}

async function choose(argv: readonly string[], host: Host): Promise<number> {
  const [first, ...rest] = argv;
  const command = COMMANDS.find((name) => name === first);
  if (command) {
    const flags = beforeTerminator(rest);
    if (flags.includes('--help') || flags.includes('-h')) return help(host, command);
    if (flags.includes('--version') || flags.includes('-V')) return showVersion(host);
    return (await LOADERS[command]())(rest, host);
  }
  if (first === '--help' || first === '-h' || first === 'help') return helpAbout(rest, host);
  if (first === '--version' || first === '-V' || first === 'version') return showVersion(host);
  if (first === undefined) {
    host.stderr.write((await import('./help.ts')).welcome());
    return exitCode('USAGE');
  }
  const { unknownCommand } = await import('./unknown.ts');
  throw unknownCommand(first);
}

async function help(host: Host, command: Command): Promise<number> {
  host.stdout.write((await import('./help.ts')).commandHelp(command));
  return EXIT_DONE;
}

/** `beeline help`, and about what. @throws BeelineError USAGE */
async function helpAbout([about]: readonly string[], host: Host): Promise<number> {
  if (about === '--man') {
    const { version } = await import('../server/version.ts');
    host.stdout.write((await import('./man.ts')).manPage(version()));
    return EXIT_DONE;
  }
  const { commandHelp, overview, topicHelp } = await import('./help.ts');
  const command = COMMANDS.find((name) => name === about);
  const topic = TOPICS.find((name) => name === about);
  if (about !== undefined && !command && !topic)
    throw new BeelineError(
      'USAGE',
      `There is no help about ${escapeName(about)}.${hint(about, [...COMMANDS, ...TOPICS], 'beeline help ')} \`beeline help\` lists what there is.`,
    );
  host.stdout.write(command ? commandHelp(command) : topic ? topicHelp(topic) : overview());
  return EXIT_DONE;
}

async function showVersion(host: Host): Promise<number> {
  host.stdout.write(`${(await import('../server/version.ts')).version()}\n`);
  return EXIT_DONE;
}

/** Tells an error to person and program and gives the exit code. Also for what nothing caught. */
export async function fail(thrown: unknown, argv: readonly string[], host: Host): Promise<number> {
  if (thrown instanceof BrokenPipe) return EXIT_FAILED;
  const error = asBeelineError(thrown, 'INTERNAL', 'This should not have happened');
  const message = withHint(error);
  const flags = beforeTerminator(argv);
  if (flags.includes('--json')) {
    const { jsonLine } = await import('./json.ts');
    const { code, reason } = error;
    host.stdout.write(`${jsonLine({ event: 'error', code, ...(reason && { reason }), message })}\n`);
  }
  const lines = error instanceof Mistakes ? error.lines : [message];
  host.stderr.write(`beeline: ${lines.map(escapeName).join('\n')}\n`);
  if (wantsStack(flags)) host.stderr.write(`${stackOf(error).split('\n').map(escapeName).join('\n')}\n`);
  return exitCode(error.code);
}

function beforeTerminator(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end < 0 ? argv : argv.slice(0, end);
}

/** The arguments may not even parse, so this looks at them as they are. */
function wantsStack(flags: readonly string[]): boolean {
  const level = flags[flags.indexOf('--log-level') + 1];
  return ['debug', 'trace'].some(
    (name) => flags.includes(`--log-level=${name}`) || (flags.includes('--log-level') && level === name),
  );
}

function stackOf(error: Error): string {
  const texts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current instanceof Error && depth < 5; depth++) {
    texts.push(current.stack ?? String(current));
    current = current.cause;
  }
  return texts.join('\ncaused by ');
}
