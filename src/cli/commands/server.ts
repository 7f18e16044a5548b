/** `beeline server`: runs until it is told to stop. */
import { once } from 'node:events';
import type { RunningServer } from '../../server/index.ts';
import { EXIT_DONE } from '../exit.ts';
import type { Host } from '../host.ts';
import { Interrupt } from '../interrupt.ts';
import { printer } from '../json.ts';
import { type Log, openLog } from '../log.ts';
import { serverArgs } from '../options.ts';
import { Screen } from '../screen.ts';
import { readTurnSecret } from '../secrets.ts';

/** Resolves to the exit code: 0 after a signal, for that is how a server ends. @throws BeelineError */
export async function serverCommand(argv: readonly string[], host: Host): Promise<number> {
  const args = serverArgs(argv, host.env);
  const { face } = args;
  const screen = new Screen(host.stderr, host.env);
  // With a certificate, SIGHUP means that it was renewed, as it does for other servers.
  const interrupt = args.tls ? new Interrupt(['SIGINT', 'SIGTERM']) : new Interrupt();
  let log: Log | undefined;
  let server: RunningServer | undefined;
  const onHangup = () => void server?.reload();
  try {
    log = await openLog(face, (lines) => screen.raw(lines));
    const { startServer } = await host.server();
    const warn = (sentence: string) => {
      if (!face.quiet) screen.line(sentence);
    };
    const { turn, relayLimit, relayRate, face: _, ...options } = args;
    server = await startServer({
      ...options,
      turn: turn && { urls: turn.urls, secret: turn.secret ?? (await readTurnSecret(turn.secretFile!)) },
      limits: {
        ...(relayLimit !== undefined && { relayMailboxBytes: relayLimit }),
        ...(relayRate !== undefined && { relayRate }),
      },
      log: log?.logger,
      warn,
    });
    if (args.tls) process.on('SIGHUP', onHangup);
    const { url, port, stunPorts: stun } = server;
    const listening = { event: 'listening', url, port, relay: args.relay, stun };
    if (face.json) printer(host.stdout, true)(listening);
    else if (!face.quiet) screen.line(`Listening at ${url}. Ctrl-C stops.`);
    if (!interrupt.signal.aborted) await once(interrupt.signal, 'abort');
    // The interrupt's own deadline ends the process should a connection refuse to close.
    await server.close();
    return EXIT_DONE;
  } finally {
    process.off('SIGHUP', onHangup);
    log?.close();
    interrupt.close();
  }
}
