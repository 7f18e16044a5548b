/** The texts of the help, for a screen of 80 columns. Flags come from the table that is parsed, so they are all there. */
import { COMMANDS, type Command, FLAGS, type Flag, TOPICS, type Topic } from './flags.ts';
import { ABOUT, ABOUT_TOPICS } from './help-texts.ts';

const COLUMNS = 80;
/** Where the text behind a flag begins. */
const TEXT_AT = 25;
/** Where the text behind a command or a topic begins. */
const NAMES_AT = 14;

/** Lines of at most `room` columns. A word that is longer stays whole. */
export function wrapped(text: string, room: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

/** What stands before, and the text beside it. */
function beside(before: string, text: string, at = TEXT_AT): string[] {
  const lines = wrapped(text, COLUMNS - at);
  const first = before.length < at ? [before.padEnd(at) + lines.shift()!] : [before];
  return [...first, ...lines.map((line) => ' '.repeat(at) + line)];
}

function flagLines([name, { short, value, help, list }]: [string, Flag]): string[] {
  const text = list && !help.includes('repeat') ? `${help}; you can repeat it` : help;
  return beside(`  ${short ? `-${short},` : '   '} --${name}${value ? ` ${value}` : ''}`, text);
}

const flagsOf = (command: Command): [string, Flag][] => Object.entries<Flag>(FLAGS[command]);

/** The topics that have more flags of a command, with the names of these. */
function topicsOf(command: Command): string[] {
  const by = new Map<Topic, string[]>();
  for (const [name, { topic }] of flagsOf(command))
    if (topic) by.set(topic, [...(by.get(topic) ?? []), `--${name}`]);
  return [...by].flatMap(([topic, names]) => beside(`  beeline help ${topic}`, names.join(', ')));
}

export function commandHelp(command: Command): string {
  const { line, usage, examples, notes = [] } = ABOUT[command];
  const more = topicsOf(command);
  return [
    ...wrapped(`beeline ${command}: ${line}`, COLUMNS),
    '',
    ...indent(usage),
    '',
    'Flags:',
    ...flagsOf(command)
      .filter(([, { topic }]) => !topic)
      .flatMap(flagLines),
    '',
    ...(more.length > 0 ? ['More flags:', ...more, ''] : []),
    ...notes.flatMap((note) => wrapped(note, COLUMNS)),
    ...(notes.length > 0 ? [''] : []),
    'Examples:',
    ...indent(examples),
    '',
  ].join('\n');
}

export function topicHelp(topic: Topic): string {
  const { line, body } = ABOUT_TOPICS[topic];
  return [
    ...wrapped(`beeline help ${topic}: ${line}`, COLUMNS),
    '',
    ...body.flatMap((part) => (typeof part === 'string' ? wrapped(part, COLUMNS) : indent(part))),
    '',
    ...flagsOn(topic),
  ].join('\n');
}

/** All flags of a topic, each once, below the commands that have it. */
function flagsOn(topic: Topic): string[] {
  const found = new Map<string, { commands: Command[]; lines: string[] }>();
  for (const command of COMMANDS)
    for (const entry of flagsOf(command)) {
      if (entry[1].topic !== topic) continue;
      const lines = flagLines(entry);
      const key = lines.join('\n');
      const known = found.get(key);
      if (known) known.commands.push(command);
      else found.set(key, { commands: [command], lines });
    }
  const groups = new Map<string, string[]>();
  for (const { commands, lines } of found.values()) {
    const whose = `Flags of ${commands.join(', ')}:`;
    groups.set(whose, [...(groups.get(whose) ?? []), ...lines]);
  }
  return [...groups].flatMap(([whose, lines]) => [...wrapped(whose, COLUMNS), ...lines, '']);
}

/** What most people come for. */
export function welcome(): string {
  return [
    'Beeline sends files of any size straight from one machine to another.',
    '',
    'Send:              beeline send holiday/ notes.txt',
    '                   It shows a code. Tell it to the other person.',
    '',
    'Receive:           beeline receive 7-velvet-canyon',
    '                   With the code that the sender shows.',
    '',
    'Send to a phone:   beeline send photo.jpg --web --qr',
    '                   Scan what it shows. The phone needs nothing but its browser.',
    '',
    '`beeline help` shows everything else.',
    '',
  ].join('\n');
}

export function overview(): string {
  const topics = TOPICS.flatMap((topic) => beside(`  ${topic}`, ABOUT_TOPICS[topic].line, NAMES_AT));
  return [
    'beeline: send files of any size straight from one machine to another',
    '',
    'Commands:',
    ...COMMANDS.flatMap((command) => beside(`  ${command}`, ABOUT[command].line, NAMES_AT)),
    '',
    'Topics:',
    ...topics,
    '',
    '`beeline COMMAND --help` shows a command, `beeline help TOPIC` a topic,',
    '`beeline help --man` a manual page, `beeline version` (or -V) the version.',
    '',
    'Examples:',
    '  on this machine:       beeline send holiday/',
    '  on the other machine:  beeline receive 7-velvet-canyon',
    '',
  ].join('\n');
}
