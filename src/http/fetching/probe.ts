/** The first request for a file: what it is called, how long it is, and whether parts of it can be asked for. */
import { BeelineError, fault } from '../../base/errors.ts';
import type { Answer, Client } from './client.ts';
import { Busy, type Mirror } from './mirror.ts';
import { fileNameOf, NAMELESS } from './naming.ts';
import { contentRange, isHtml, misbehaves, type Representation, representationOf } from './representation.ts';
import { shownUrl } from './url.ts';

export interface Probed {
  readonly mirror: Mirror;
  readonly seen: Representation;
  readonly name: string;
  /** It is HTML that nothing names: what a server shows a browser at its root, or for a folder. */
  readonly page: boolean;
  /** To a request for all of the file; its body waits. */
  readonly answer: Answer | undefined;
  /** As the server calls itself. */
  readonly agent: string;
}

/**
 * Asks the mirrors of one file, one after the other until one answers.
 * @param alone the file is the only one: the answer that comes may be all of it
 * @throws BeelineError or Busy: what the first one said
 */
export async function probe(
  mirrors: readonly Mirror[],
  client: Client,
  signal: AbortSignal,
  alone: boolean,
): Promise<Probed> {
  let failure: unknown;
  for (const mirror of mirrors) {
    if (mirror.out) continue;
    try {
      return await probeOne(mirror, client, signal, alone);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      failure ??= thrown;
      // It may be back for what is still to come; what it refuses, it refuses then too.
      if (!passes(thrown) && thrown instanceof BeelineError) mirror.out = thrown;
    }
  }
  const [first] = mirrors;
  throw failure ?? first?.out ?? fault('HTTP_AWAY', { host: first?.host ?? '', why: 'there is none' });
}

/** Whether it may be otherwise in a while. */
export function passes(thrown: unknown): boolean {
  return thrown instanceof Busy || (thrown instanceof BeelineError && thrown.reason === 'HTTP_AWAY');
}

async function probeOne(
  mirror: Mirror,
  client: Client,
  signal: AbortSignal,
  alone: boolean,
): Promise<Probed> {
  let answer = await mirror.ask(client, signal, 0, alone ? undefined : 1);
  const range = answer.status === 206 ? contentRange(answer.header('content-range')) : undefined;
  // An empty file has no first byte. And of a range of who knows how much nothing can be made.
  if (answer.status === 416 || (answer.status === 206 && (range?.from !== 0 || range.total === undefined))) {
    answer.close();
    answer = await mirror.ask(client, signal);
  }
  try {
    if (answer.status !== 200 && answer.status !== 206)
      throw misbehaves(answer, 'it has no range of a file that was asked for as a whole');
    const seen = representationOf(answer);
    if (!alone && seen.length === undefined)
      throw fault('HTTP_NO_LENGTH', { url: shownUrl(mirror.place.url) });
    mirror.seen = seen;
    const called = fileNameOf(answer.header('content-disposition'), answer.url);
    const [name, page] = [called ?? NAMELESS, called === undefined && isHtml(answer)];
    const agent = (answer.header('server') ?? '').slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
    if (alone) return { mirror, seen, name, page, answer, agent };
    await release(answer);
    return { mirror, seen, name, page, answer: undefined, agent };
  } catch (thrown) {
    answer.close();
    throw thrown;
  }
}

/** One byte is read, so that the connection can be used again. A whole file is not. */
async function release(answer: Answer): Promise<void> {
  if (answer.status === 206) await answer.read(() => {}).catch(() => {});
  answer.close();
}
