/** `beeline doctor`: what this machine's network allows. The table and the advice are its product: on stdout. */

import { escapeName } from '../../base/printable.ts';
import { advise } from '../../node/doctor/advise.ts';
import { diagnose } from '../../node/doctor/diagnose.ts';
import type { Check, CheckName, Diagnosis } from '../../node/doctor/diagnosis.ts';
import { advice, detail, table } from '../diagnosis.ts';
import { EXIT_DONE, exitCode } from '../exit.ts';
import type { Host } from '../host.ts';
import { Interrupt } from '../interrupt.ts';
import { JsonOutput } from '../json.ts';
import { doctorArgs } from '../options.ts';
import { Screen } from '../screen.ts';

/** Resolves to the exit code: 6 if the server that was named cannot be reached. @throws BeelineError */
export async function doctorCommand(argv: readonly string[], host: Host): Promise<number> {
  const { json, server, portMap } = doctorArgs(argv, host.env);
  const screen = new Screen(host.stderr, host.env);
  const output = new JsonOutput(host.stdout);
  const interrupt = new Interrupt();
  const onCheck = (name: CheckName, check: Check): void => {
    if (json) output.write({ event: 'check', ...told(name, check) });
  };
  try {
    if (!json) screen.status(['Looking; this takes some seconds...']);
    const diagnosis = await diagnose({ server, portMap, onCheck, signal: interrupt.signal });
    screen.status([]);
    const lines = advise(diagnosis);
    if (json) output.write({ event: 'diagnosis', ...{ ...diagnosis, advice: lines } });
    else host.stdout.write(shown(diagnosis, lines));
    return diagnosis.server?.ok === false ? exitCode('SERVER') : EXIT_DONE;
  } finally {
    screen.status([]);
    interrupt.close();
  }
}

/** A check as its own event, with what it found as a sentence; the `diagnosis` at the end has the facts. */
function told(name: CheckName, check: Check): object {
  const ms = 'ms' in check ? check.ms : undefined;
  const code = check.ok ? undefined : check.code;
  return { name, ok: check.ok, code, ms, detail: detail(name, check) };
}

/** Each line escaped, since servers and routers have put words into some. */
function shown(diagnosis: Diagnosis, lines: readonly string[]): string {
  return [...table(diagnosis), ...advice(lines)].map((line) => `${escapeName(line)}\n`).join('');
}
