/** `beeline server`: runs until it is told to stop. */
import { EXIT_DONE } from '../exit.ts';
import type { Host } from '../host.ts';
import { Interrupt } from '../interrupt.ts';
import { JsonOutput } from '../json.ts';
import type { Log } from '../log.ts';
import { serverArgs } from '../options.ts';
import { Screen } from '../screen.ts';

/** Resolves to the exit code: 0 after a signal, for that is how a server ends. @throws BeelineError */
export async function serverCommand(argv: readonly string[], host: Host): Promise<number> {
  const { face, port, host: address, trustProxy } = serverArgs(argv);
  const screen = new Screen(host.stderr, host.env);
  const interrupt = new Interrupt();
  let log: Log | undefined;
  try {
    if (face.logLevel !== undefined || face.logFile !== undefined) {
      const { openLog } = await import('../log.ts');
      log = await openLog(face, (lines) => screen.raw(lines));
    }
    const { startServer } = await host.server();
    const server = await startServer({ port, host: address, trustProxy, log: log?.logger });
    const listening = { event: 'listening', url: server.url, port: server.port };
    if (face.json) new JsonOutput(host.stdout).write(listening);
    else if (!face.quiet) screen.line(`Listening at ${server.url}. Ctrl-C stops.`);
    await aborted(interrupt.signal);
    // The interrupt's own deadline ends the process should a connection refuse to close.
    await server.close();
    return EXIT_DONE;
  } finally {
    log?.close();
    interrupt.close();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
