/** Where what is received goes on Node: into a folder, a stream, or a text. */
import type { OfferHeader } from '../offer/manifest.ts';
import type { Session } from '../session/session.ts';
import { TextSink } from '../session/text-sink.ts';
import type { Sink } from '../sync/ports.ts';
import type { ReceiveOptions } from './api.ts';
import { StagingSink } from './files/staging-sink.ts';
import { StdoutSink } from './files/stdout-sink.ts';

type SinkOptions = Pick<ReceiveOptions, 'to' | 'stdout' | 'overwrite' | 'links' | 'onConflict' | 'sha256'>;

const isOfProcess = (stream: NodeJS.WritableStream) => stream === process.stdout || stream === process.stderr;

/** The reader of a program's stream must see an end. It is a clean end only if everything arrived. */
export function endStream(session: Session, { to, stdout }: SinkOptions): void {
  if (to !== '-' || !stdout || isOfProcess(stdout)) return;
  if (!session.failure) stdout.end();
  else if ('destroy' in stdout && typeof stdout.destroy === 'function') stdout.destroy();
}

/** The store that the options of a receive ask for. */
export function makeSink(session: Session, { kind, sha256 }: OfferHeader, options: SinkOptions): Sink {
  const { to = '.', stdout = process.stdout, overwrite = 'ask', links, onConflict } = options;
  if (kind === 'text') return new TextSink((text) => session.emit({ event: 'text', text }));
  if (to === '-')
    return new StdoutSink(stdout, { sha256: options.sha256 || sha256, end: !isOfProcess(stdout) });
  return new StagingSink({
    ...{ to, overwrite, links, onConflict },
    onWarning: (error) => session.warn(error, error.paths[0]),
  });
}
