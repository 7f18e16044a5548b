/** One connection's beginning: dial, say hello, and hear that the place is ours. */
import { asBeelineError, type BeelineError, fault } from '../base/errors.ts';
import { decodeServerMessage, type ServerMessage } from '../wire/rendezvous.ts';
import type { Dial, Wire } from './wire.ts';

export interface Greeted {
  hello(): string;
  /** The server's first message, and the wire that it came on. Throws what makes it no welcome. */
  welcome(message: ServerMessage, wire: Wire): void;
  /** Every later one. */
  hear(message: ServerMessage): void;
  /** Later: the server said something that cannot be gone on with. */
  failed(error: BeelineError): void;
  /** Later: the connection is gone. */
  lost(error: BeelineError): void;
}

/** Resolves after `welcome`. Rejects with what went wrong or the signal's reason, and no wire is left open then. */
export async function greet(dial: Dial, on: Greeted, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let wire: Wire | undefined;
  let greeted = false;
  let abort = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort);
      const text = (text: string) => {
        try {
          const message = decodeServerMessage(text);
          if (greeted) return on.hear(message);
          if (!wire) throw fault('SERVER_MISBEHAVES', { what: 'spoke before it was asked' });
          on.welcome(message, wire);
          greeted = true;
          resolve();
        } catch (error) {
          if (greeted) on.failed(asBeelineError(error));
          else reject(error);
        }
      };
      const closed = (error: BeelineError) => (greeted ? on.lost(error) : reject(error));
      dial({ text, closed }, signal).then((opened) => {
        wire = opened;
        if (signal.aborted) opened.close();
        else opened.send(on.hello());
      }, reject);
    });
  } catch (error) {
    wire?.close();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
