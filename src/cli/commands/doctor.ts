/** `beeline doctor`: what this machine's network allows. The table and the advice are its product: on stdout. */

import { advise } from '../../node/doctor/advise.ts';
import { diagnose } from '../../node/doctor/diagnose.ts';
import type { Check, CheckName } from '../../node/doctor/diagnosis.ts';
import { advice, detail, table } from '../diagnosis.ts';
import { EXIT_DONE, exitCode } from '../exit.ts';
import type { Host } from '../host.ts';
import { Interrupt } from '../interrupt.ts';
import { printer } from '../json.ts';
import { doctorArgs } from '../options.ts';
import { Screen } from '../screen.ts';

/** Resolves to the exit code: 6 if the server that was named cannot be reached. @throws BeelineError */
export async function doctorCommand(argv: readonly string[], host: Host): Promise<number> {
  const { json, server, portMap } = doctorArgs(argv, host.env);
  const screen = new Screen(host.stderr, host.env);
  const print = printer(host.stdout, json);
  const interrupt = new Interrupt();
  const onCheck = (name: CheckName, check: Check): void => {
    print({ event: 'check', ...told(name, check) });
  };
  try {
    if (!json) screen.status(['Looking. This takes some seconds...']);
    const diagnosis = await diagnose({ server, portMap, onCheck, signal: interrupt.signal });
    screen.status([]);
    const lines = advise(diagnosis);
    print({ event: 'diagnosis', ...{ ...diagnosis, advice: lines } }, table(diagnosis), advice(lines));
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
