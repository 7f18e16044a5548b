/** `beeline trust`: shows, adds and removes the devices that need no code. Its listing is its product: on stdout. */
import { escapeName } from '../../base/printable.ts';
import { parse, usage } from '../args.ts';
import { EXIT_DONE } from '../exit.ts';
import type { Devices, Host } from '../host.ts';
import { type Print, printer } from '../json.ts';
import { hint } from '../near.ts';
import { configDir } from '../options.ts';

const VERBS = ['list', 'add', 'remove'];

/** Resolves to the exit code. @throws BeelineError */
export async function trustCommand(argv: readonly string[], host: Host): Promise<number> {
  const { positionals, flags } = parse('trust', argv);
  const [verb = 'list', ...rest] = positionals;
  check(verb, rest);
  const devices = await host.devices(configDir(flags, host.env));
  const print = printer(host.stdout, flags.json ?? false);
  if (verb === 'add') {
    const device = await devices.add(rest[0]!, rest[1]!);
    print({ event: 'added', ...device }, `Trusted: ${device.name}. That device must trust this one too.`);
  } else if (verb === 'remove') {
    const device = await devices.remove(rest[0]!);
    print({ event: 'removed', ...device }, `No longer trusted: ${device.name}.`);
  } else list(devices, print);
  return EXIT_DONE;
}

function list(devices: Devices, print: Print): void {
  const { publicKey } = devices.own;
  print({ event: 'own', key: publicKey }, `This device: ${publicKey}`);
  for (const { name, key } of devices.list()) print({ event: 'device', name, key }, `${key}  ${name}`);
}

function check(verb: string, rest: readonly string[]): void {
  if (!VERBS.includes(verb))
    throw usage('trust', `There is no \`beeline trust ${escapeName(verb)}\`.${hint(verb, VERBS)}`);
  const wanted = { list: 0, add: 2, remove: 1 }[verb] ?? 0;
  if (rest.length !== wanted)
    throw usage(
      'trust',
      verb === 'add'
        ? '`beeline trust add NAME KEY` needs a name of your choice and the key that the other device shows.'
        : verb === 'remove'
          ? '`beeline trust remove NAME` needs one name or key.'
          : '`beeline trust list` takes nothing more.',
    );
}
