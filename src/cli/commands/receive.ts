/** `beeline receive`. */
import { resolve } from 'node:path';
import { usage } from '../args.ts';
import { type Obtained, obtainCode, type Pasted } from '../code-input.ts';
import { EXIT_DONE, EXIT_INTERRUPTED } from '../exit.ts';
import { fail } from '../failure.ts';
import type { Host } from '../host.ts';
import { Interrupt } from '../interrupt.ts';
import { checkRelayed, downloadArgs, type ReceiveArgs, receiveArgs } from '../options.ts';
import { Prompt } from '../prompt.ts';
import { Questions } from '../questions.ts';
import { Screen } from '../screen.ts';
import { readPsk } from '../secrets.ts';
import { TransferRun, type Turn } from '../session.ts';

/** Resolves to the exit code. @throws BeelineError; BrokenPipe */
export async function receiveCommand(argv: readonly string[], host: Host): Promise<number> {
  const urls = downloadArgs(argv, host.env);
  if (urls) return (await import('./download.ts')).downloadCommand(urls, host);
  const args = receiveArgs(argv, host.env);
  const offers = args.several;
  if (offers) return receiveInTurn(argv, args, offers, host);
  const open = await receiveOne(args, host);
  await open();
  return EXIT_DONE;
}

/**
 * One offer, from its code to its end.
 * @param obtained absent: the code is still to be had
 * @returns what shows the folder, if that is wanted @throws BeelineError; BrokenPipe
 */
async function receiveOne(
  args: ReceiveArgs,
  host: Host,
  turn?: Turn,
  obtained?: Obtained,
): Promise<() => Promise<void>> {
  const session = new TransferRun(host, {
    face: args.face,
    metricsPort: args.metricsPort,
    stdinTaken: false, // if a code comes on stdin, stdin is no terminal and has no keys anyway
    report: { role: 'receive', update: args.options.overwrite === 'update', instructions: () => undefined },
    ...(turn && { turn }),
    side: { newCode: needsCode(args), keeps: args.options.to !== '-' },
  });
  const questions = new Questions(session.prompt, session.screen, (event) => {
    session.tell(event);
    // Whoever was asked has seen it.
    if (args.yes && questions.within !== '') session.report.say(`Into ${folder()}`);
  });
  const folder = () => resolve(args.options.to, questions.within);
  try {
    const open = await session.opener(args.open, folder);
    const psk = args.pskFile === undefined ? undefined : await readPsk(args.pskFile);
    const { code, pasted } =
      obtained ?? (needsCode(args) ? await obtainCode(args.options.code, host, session, args.asTyped) : {});
    const place = placeIn(args, pasted, turn ? 'this offer' : pasted?.whose);
    const proxied = args.proxy === undefined ? {} : (await host.proxied())(args.proxy);
    // An error in the code is told before this one: the person mends it first.
    questions.check(args);
    const options = await session.prepare(
      {
        ...{ ...args.options, ...proxied, code, psk, ...questions.options(args) },
        ...(place && { server: place.server, at: place.at }),
        stdout: args.options.to === '-' ? host.stdout : undefined,
      },
      [code, args.options.code, args.proxy],
    );
    const receive = await host.receive();
    if (place) session.report.say(place.said);
    session.report.say('Looking for the sender...');
    await session.follow(receive(options));
    return open;
  } catch (thrown) {
    throw questions.explained(thrown);
  } finally {
    session.close();
  }
}

/**
 * Several offers, one after the other. What fails is told, and the next one begins. All codes are looked at before the first is tried.
 * @returns the exit code: of the first that failed, if one did @throws BeelineError of what is wrong before that
 */
async function receiveInTurn(
  argv: readonly string[],
  args: ReceiveArgs,
  offers: NonNullable<ReceiveArgs['several']>,
  host: Host,
): Promise<number> {
  const screen = new Screen(host.stderr, host.env);
  const interrupt = new Interrupt();
  const say = (text: string) => {
    if (!args.face.json && !args.face.quiet) screen.line(text);
  };
  try {
    const prompt = new Prompt({ input: host.stdin, output: host.stderr, interrupt });
    const obtained: (Obtained | undefined)[] = [];
    for (const { code } of offers)
      obtained.push(
        code === undefined
          ? undefined
          : await obtainCode(code, host, { prompt, screen, interrupt }, args.asTyped),
      );
    const names = offers.map(({ device }, index) => obtained[index]?.code ?? device);
    if (new Set(names).size < names.length)
      throw usage('receive', 'The same offer is named twice. Each is received once.');
    for (const [index, found] of obtained.entries()) {
      // No whole code: this line may be copied to others.
      const name = found ? `${found.code.split('-', 1)[0]}-…` : offers[index]!.device;
      placeIn(args, found?.pasted, `offer ${index + 1} (${name})`);
    }
    new Questions(prompt, screen).check(args);
    let failed = EXIT_DONE;
    let done = 0;
    let open = async () => {};
    for (const [index, { device }] of offers.entries()) {
      const which = { arrival: index + 1, of: offers.length };
      say(`Offer ${which.arrival} of ${which.of}`);
      try {
        const turn = { arrival: which.arrival, more: which.arrival < which.of, interrupt };
        const one = { ...args, options: { ...args.options, code: undefined, device } };
        open = await receiveOne(one, host, turn, obtained[index]);
        done++;
      } catch (thrown) {
        const code = await fail(thrown, argv, host, which);
        if (failed === EXIT_DONE || code === EXIT_INTERRUPTED) failed = code;
        if (interrupt.signal.aborted) break;
      }
    }
    say(`${done} of ${offers.length} offers received.`);
    await open();
    return failed;
  } finally {
    interrupt.close();
  }
}

/**
 * Where the two meet, as what was pasted says. What was typed to meet at beats it, and it beats the environment.
 * @param whose what should name a server, if there is something @throws BeelineError USAGE
 */
function placeIn(
  args: ReceiveArgs,
  pasted: Pasted | undefined,
  whose: string | undefined,
): Pasted | undefined {
  const place = args.placed ? undefined : pasted;
  checkRelayed(
    'receive',
    { ...args.options, proxy: args.proxy },
    (place ?? args.options).server,
    args.placed ? undefined : whose,
  );
  return place;
}

function needsCode(args: ReceiveArgs): boolean {
  return args.pskFile === undefined && args.options.device === undefined;
}
