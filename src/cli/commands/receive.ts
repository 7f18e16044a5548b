/** `beeline receive`. */
import { usage } from '../args.ts';
import { obtainCode, placeOf } from '../code-input.ts';
import { EXIT_DONE } from '../exit.ts';
import type { Host } from '../host.ts';
import { writeEvent } from '../json.ts';
import { downloadArgs, type ReceiveArgs, receiveArgs } from '../options.ts';
import { Questions } from '../questions.ts';
import { readPsk } from '../secrets.ts';
import { TransferRun } from '../session.ts';

/** Resolves to the exit code. @throws BeelineError; BrokenPipe */
export async function receiveCommand(argv: readonly string[], host: Host): Promise<number> {
  const urls = downloadArgs(argv, host.env);
  if (urls) return (await import('./download.ts')).downloadCommand(urls, host);
  const args = receiveArgs(argv, host.env);
  const session = new TransferRun(host, {
    face: args.face,
    metricsPort: args.metricsPort,
    stdinTaken: false, // if a code comes on stdin, stdin is no terminal and has no keys anyway
    report: { role: 'receive', update: args.options.overwrite === 'update', instructions: () => undefined },
    side: { newCode: needsCode(args), keeps: args.options.to !== '-' },
  });
  const questions = new Questions(session.prompt, session.screen, (event) => {
    if (args.face.json) writeEvent(host.stdout, event);
  });
  try {
    const open = await session.opener(args.open, args.options.to);
    const psk = args.pskFile === undefined ? undefined : await readPsk(args.pskFile);
    const { code, link } = needsCode(args)
      ? await obtainCode(args.options.code, host, session)
      : { code: undefined, link: undefined };
    // What was typed to meet at beats the link, and the link beats the environment.
    const place = link !== undefined && !args.placed ? placeOf(link) : undefined;
    if (args.proxy !== undefined && place && place.server === undefined)
      throw usage('receive', '--proxy needs a server that relays, and the link names none: --server URL.');
    const proxied = args.proxy === undefined ? {} : (await host.proxied())(args.proxy);
    // An error in the code is told before this one: the person mends it first.
    questions.check(args);
    const options = await session.prepare(
      {
        ...{ ...args.options, ...proxied, code, psk, ...questions.options(args) },
        ...(place && { server: place.server }),
        stdout: args.options.to === '-' ? host.stdout : undefined,
      },
      [code, args.options.code, args.proxy],
    );
    const receive = await host.receive();
    if (place) session.report.say(place.said);
    session.report.say('Looking for the sender...');
    await session.follow(receive(options));
    await open();
    return EXIT_DONE;
  } catch (thrown) {
    throw questions.explained(thrown);
  } finally {
    session.close();
  }
}

function needsCode(args: ReceiveArgs): boolean {
  return args.pskFile === undefined && args.options.device === undefined;
}
