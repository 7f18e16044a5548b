/** What stdout gets: with `--json` one object a line and nothing else, without it sentences. Both are safe to look at in a terminal. */
import { jsonLine } from '../base/json-line.ts';
import { escapeName } from '../base/printable.ts';
import { SUPERSEDED } from '../session/event-stream.ts';

export { jsonLine };

/** An event for programs, and the same in lines for people: one of them is written. */
export type Print = (event: object, ...lines: (string | readonly string[])[]) => void;

export function printer(stdout: NodeJS.WritableStream, json: boolean): Print {
  return (event, ...lines) => {
    const text = json ? [jsonLine(event)] : lines.flat().map(escapeName);
    if (text.length > 0) stdout.write(text.map((line) => `${line}\n`).join(''));
  };
}

/**
 * Progress and sums that the reader has no room for are dropped, since the next ones tell more. The other events are few. On POSIX a
 * pipe is written to synchronously, so a slow reader slows its writer.
 */
export function writeEvent(
  stdout: NodeJS.WritableStream & { writableNeedDrain?: boolean },
  event: { event: string },
): void {
  if (!SUPERSEDED.has(event.event) || !stdout.writableNeedDrain) stdout.write(`${jsonLine(event)}\n`);
}
