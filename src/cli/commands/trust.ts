/** `beeline trust`: shows, adds and removes the devices that need no code. Its listing is its product: on stdout. */
import { join, resolve } from 'node:path';
import { escapeName } from '../../base/printable.ts';
import { hint } from '../../base/suggestion.ts';
import type { InboxRules } from '../../identity/devices.ts';
import { FolderTemplate } from '../../node/files/folder-template.ts';
import { parse, usage } from '../args.ts';
import { EXIT_DONE } from '../exit.ts';
import type { FlagValues } from '../flags.ts';
import { formatBytes } from '../format.ts';
import type { Devices, Host } from '../host.ts';
import { type Print, printer } from '../json.ts';
import { configDir, destinationOf } from '../options.ts';

const VERBS = ['list', 'add', 'remove', 'set'];
/** Flags of `set`, each a rule. */
const RULES = ['to', 'max-size', 'quota', 'ask', 'overwrite', 'refuse'] as const;

/** Resolves to the exit code. @throws BeelineError */
export async function trustCommand(argv: readonly string[], host: Host): Promise<number> {
  const { positionals, flags } = parse('trust', argv);
  const [verb = 'list', ...rest] = positionals;
  check(verb, rest);
  const given = RULES.find((name) => name in flags);
  if (given && verb !== 'set') throw usage('trust', `--${given} is for \`beeline trust set NAME\`.`);
  const devices = await host.devices(configDir(flags, host.env));
  const print = printer(host.stdout, flags.json ?? false);
  if (verb === 'add') {
    const device = await devices.add(rest[0]!, rest[1]!);
    print({ event: 'added', ...device }, `Trusted: ${device.name}. That device must trust this one too.`);
  } else if (verb === 'remove') {
    const device = await devices.remove(rest[0]!);
    print({ event: 'removed', ...device }, `No longer trusted: ${device.name}.`);
  } else if (verb === 'set') {
    const device = await devices.setInbox(rest[0]!, rulesOf(flags));
    print({ event: 'set', ...device }, `${device.name}: ${described(device.inbox)}`);
  } else list(devices, print);
  return EXIT_DONE;
}

function list(devices: Devices, print: Print): void {
  const { publicKey } = devices.own;
  print({ event: 'own', key: publicKey }, `This device: ${publicKey}`);
  for (const { name, key, inbox } of devices.list())
    print({ event: 'device', name, key, inbox }, `${key}  ${name}${inbox ? ` (${described(inbox)})` : ''}`);
}

/** All rules at once: what is not given does not hold any more. Undefined: there are none. */
function rulesOf(flags: FlagValues<'trust'>): InboxRules | undefined {
  const { to, 'max-size': maxBytes, quota, ask, overwrite, refuse } = flags;
  const folder = to === undefined ? undefined : destinationOf(to);
  if (folder?.within !== undefined) new FolderTemplate(folder.within);
  const rules: InboxRules = {
    ...(folder && { ...folder, to: resolve(folder.to) }),
    ...(maxBytes !== undefined && { maxBytes }),
    ...(quota !== undefined && { quota: { bytes: quota, since: Date.now() } }),
    ...(ask && { ask }),
    ...(overwrite && { overwrite }),
    ...(refuse && { refuse }),
  };
  return Object.keys(rules).length > 0 ? rules : undefined;
}

/** What `beeline listen` does with what such a device sends. */
function described({ to, within = '', maxBytes, quota, ask, overwrite, refuse }: InboxRules = {}): string {
  if (refuse) return 'nothing is taken';
  return [
    ask ? 'each offer is asked about' : 'offers are taken without a question',
    ...(to !== undefined ? [`into ${join(to, within)}`] : []),
    ...(maxBytes !== undefined ? [`at most ${formatBytes(maxBytes)} at once`] : []),
    ...(quota ? [`at most ${formatBytes(quota.bytes)} in all`] : []),
    ...(overwrite ? [`existing files: ${overwrite}`] : []),
  ].join(', ');
}

function check(verb: string, rest: readonly string[]): void {
  if (!VERBS.includes(verb))
    throw usage('trust', `There is no \`beeline trust ${escapeName(verb)}\`.${hint(verb, VERBS)}`);
  const wanted = { list: 0, add: 2, remove: 1, set: 1 }[verb] ?? 0;
  if (rest.length !== wanted)
    throw usage(
      'trust',
      verb === 'add'
        ? '`beeline trust add NAME KEY` needs a name of your choice and the key that the other device shows.'
        : verb === 'remove' || verb === 'set'
          ? `\`beeline trust ${verb} NAME\` needs one name or key.`
          : '`beeline trust list` takes nothing more.',
    );
}
