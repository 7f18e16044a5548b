/** From arguments to an exit code: picks the command, and tells whatever goes wrong, once and in one sentence. */
import { BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { hint } from '../base/suggestion.ts';
import { EXIT_DONE, exitCode } from './exit.ts';
import { beforeTerminator, fail } from './failure.ts';
import { COMMANDS, type Command, TOPICS } from './flags.ts';
import type { Host } from './host.ts';

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
