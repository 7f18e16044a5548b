/** Where what is received goes on Node: into a folder, a stream, or a text. */
import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import { WritableStream } from 'node:stream/web';
import { type BeelineError, fault } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import type { OfferHeader } from '../offer/manifest.ts';
import type { Session } from '../session/session.ts';
import { TextSink } from '../session/text-sink.ts';
import type { Sink } from '../sync/ports.ts';
import type { OfferSummary, ReceiveOptions } from './api.ts';
import { Destination } from './files/destination.ts';
import { FolderTemplate } from './files/folder-template.ts';
import { MemorySink } from './files/memory-sink.ts';
import { type StagingOptions, StagingSink } from './files/staging-sink.ts';
import { StdoutSink } from './files/stdout-sink.ts';
import { heard } from './items.ts';

type SinkOptions = Pick<
  ReceiveOptions,
  'to' | 'within' | 'stdout' | 'overwrite' | 'links' | 'onConflict' | 'sha256'
> &
  Pick<StagingOptions, 'from'>;

/** `into` in terms of what there is without it, a store or a stream; or what is wrong with it. */
export function settle<T extends Pick<ReceiveOptions, 'to' | 'into' | 'store' | 'stdout' | 'sha256'>>(
  given: T,
): { options: T; wrong?: BeelineError } {
  const { into, ...rest } = given;
  if (into === undefined) return { options: given };
  const options = rest as T;
  if (options.to !== undefined || options.store !== undefined)
    return { options, wrong: fault('INTO_AND_TO') };
  if (into instanceof Map) {
    options.store = () => new MemorySink(into, options.sha256 ?? false);
    return { options };
  }
  const web = into instanceof WritableStream && !into.locked;
  const stdout = web ? Writable.fromWeb(into) : into;
  if (!(stdout instanceof EventEmitter && 'write' in stdout)) {
    const values = {
      name: 'into',
      value: escapeName(String(into).slice(0, 80)),
      must: 'a stream that nobody else writes to, or a Map',
    };
    return { options, wrong: fault('OPTION_WRONG', values) };
  }
  return { options: Object.assign(options, { to: '-', stdout: heard(stdout) }) };
}

const isOfProcess = (stream: NodeJS.WritableStream) => stream === process.stdout || stream === process.stderr;

/** The reader of a program's stream must see an end. It is a clean end only if everything arrived. */
export function endStream(session: Session, { to, stdout }: SinkOptions): void {
  if (to !== '-' || !stdout || isOfProcess(stdout)) return;
  if (!session.failure) stdout.end();
  else if ('destroy' in stdout && typeof stdout.destroy === 'function') stdout.destroy();
}

/**
 * An offer with the folder that `within` makes for it, and the options with that folder.
 * @throws BeelineError UNSAFE_NAME if it leads through a link, and what `Destination` says
 */
export async function placedWithin<T extends Pick<ReceiveOptions, 'to' | 'within'>>(
  offer: OfferSummary,
  options: T,
): Promise<[OfferSummary, T]> {
  const { to = '.', within } = options;
  if (within === undefined || offer.kind === 'text') return [offer, options];
  const folder = await new FolderTemplate(within).folderIn(to, offer, new Date());
  new Destination(to, folder).find();
  return [
    { ...offer, within: folder },
    { ...options, within: folder },
  ];
}

/** The store that the options of a receive ask for, with `within` as `placedWithin` has it. */
export function makeSink(session: Session, { kind, sha256 }: OfferHeader, options: SinkOptions): Sink {
  const { to = '.', within, stdout = process.stdout, overwrite = 'ask', links, onConflict, from } = options;
  if (kind === 'text') return new TextSink((text) => session.emit({ event: 'text', text }));
  if (to === '-')
    return new StdoutSink(stdout, { sha256: options.sha256 || sha256, end: !isOfProcess(stdout) });
  return new StagingSink({
    ...{ to, within, overwrite, links, onConflict, ...(from && { from }) },
    onWarning: (error) => session.warn(error, error.paths[0]),
  });
}
