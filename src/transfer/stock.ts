/** What is here when a sink has been opened, or opened anew: what its earlier run left is down, and nothing else. */
import type { ReceiverPorts } from './engine-ports.ts';
import type { HaveMap } from './have.ts';
import type { Holdings } from './holdings.ts';
import type { Sink } from './ports.ts';
import { unwantedChunks } from './selection.ts';
import type { ByteSpace } from './space.ts';

/** Tells the progress of it. Returns the chunks that are neither here nor wanted. */
export function takeStock(
  ports: Pick<ReceiverPorts, 'resumed' | 'progress'>,
  holdings: Holdings,
  space: ByteSpace,
  sink: Sink,
): HaveMap {
  const bytes = holdings.restart(sink.held?.() ?? [], space);
  ports.resumed(0);
  if (bytes > 0) for (const chunk of holdings.have) ports.progress(bytes, space.extents(chunk));
  if (bytes > 0) ports.resumed(bytes);
  return unwantedChunks(space, sink, holdings.have);
}
