/** The manual page beeline(1), in man(7) macros, of the same texts as the help. */
import { COMMANDS, type Command, FLAGS, type Flag, TOPICS } from './flags.ts';
import { ABOUT, ABOUT_TOPICS } from './help-texts.ts';

export function manPage(version: string): string {
  return [
    `.TH BEELINE 1 "" "Beeline ${troff(version)}" "User Commands"`,
    '.SH NAME',
    'beeline \\- send files of any size straight from one machine to another',
    '.SH SYNOPSIS',
    ...COMMANDS.flatMap((command) => ABOUT[command].usage).flatMap((line) => [sentence(line), '.br']),
    '.SH COMMANDS',
    ...COMMANDS.flatMap(commandPart),
    ...TOPICS.flatMap((topic) => {
      const { line, body } = ABOUT_TOPICS[topic];
      return [
        `.SH ${troff(topic.toUpperCase())}`,
        sentence(`${line[0]!.toUpperCase()}${line.slice(1)}.`),
        ...body.flatMap((part) =>
          typeof part === 'string'
            ? part === '' || part === 'Examples:'
              ? []
              : ['.PP', sentence(part)]
            : ['.PP', '.nf', ...part.map((line) => sentence(`    ${line}`)), '.fi'],
        ),
      ];
    }),
    '',
  ].join('\n');
}

function commandPart(command: Command): string[] {
  const { line, notes = [], examples } = ABOUT[command];
  return [
    `.SS beeline ${command}`,
    sentence(`${line[0]!.toUpperCase()}${line.slice(1)}.`),
    ...notes.flatMap((note) => ['.PP', sentence(note)]),
    ...Object.entries<Flag>(FLAGS[command]).flatMap(([name, { short, value, help }]) => [
      '.TP',
      `${short ? `\\fB\\-${short}\\fR, ` : ''}\\fB\\-\\-${troff(name)}\\fR${value ? ` \\fI${troff(value)}\\fR` : ''}`,
      sentence(help),
    ]),
    '.PP',
    'Examples:',
    '.PP',
    '.nf',
    ...examples.map((example) => sentence(`    ${example}`)),
    '.fi',
  ];
}

/** Nothing in it is taken for a request. */
function troff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('`', '\\(ga')
    .replaceAll("'", '\\(aq');
}

function sentence(text: string): string {
  const safe = troff(text);
  return safe.startsWith('.') ? `\\&${safe}` : safe;
}
