/** `send` in a page: files, folders or a text, to the receiver that has the code. */

import { type BeelineError, fault } from '../base/errors.ts';
import { SENDER_WAIT } from '../base/limits.ts';
import { parseCode } from '../identity/code.ts';
import { fromCode } from '../identity/secret.ts';
import { keepMailbox } from '../meeting/keeper.ts';
import { sharedPlace } from '../meeting/place.ts';
import type { Transfer } from '../session/api.ts';
import { warningEvent } from '../session/cause.ts';
import type { Known } from '../session/ports.ts';
import { serve } from '../session/sending.ts';
import { textSource } from '../session/text-source.ts';
import { Running } from '../session/transfer.ts';
import type { BrowserOptions, Item } from './api.ts';
import { FileListSource } from './files/source.ts';
import { PageNetwork } from './network.ts';
import { knownDevice } from './people/keys.ts';
import { platform, requireSecureContext } from './platform.ts';
import { dialRendezvous } from './rendezvous.ts';

/** Milliseconds for the server to answer. */
const SERVER_DEADLINE = 15_000;

export interface BrowserSendOptions extends BrowserOptions {
  /** A code of your own, `7-velvet-canyon`. If it is absent, Beeline makes one. */
  code?: string;
  /** How many receive it, or 'any' number; default 1. The code has three words then. */
  receivers?: number | 'any';
  /** Seconds after which nobody new is let in. Who is under way goes on. */
  until?: number;
}

/**
 * Sends files, folders or a text to one receiver, from this page.
 *
 * @returns a running transfer: subscribe to its events, or await its `done`.
 * `done` rejects with the error: USAGE, UNREADABLE, WRONG_CODE, SERVER, NO_PATH, REFUSED, CANCELLED, and the rest of ErrorCode.
 */
export function send(what: readonly Item[] | { text: string }, options: BrowserSendOptions): Transfer {
  const transfer = new Running('sender', platform, options);
  run(transfer, what, options).catch((thrown) => transfer.fail(thrown));
  return transfer;
}

async function run(
  transfer: Running,
  what: readonly Item[] | { text: string },
  options: BrowserSendOptions,
): Promise<void> {
  if (!transfer.begin()) return;
  requireSecureContext();
  const { server, code, device, wait = SENDER_WAIT } = options;
  const pair = device === undefined ? await options.pair : undefined;
  const { signal } = transfer;
  const skipped: string[] = [];
  const networks = new Set<PageNetwork>();
  await serve(transfer, {
    ...{ options, platform, skipped },
    known: await knownFrom(code, device),
    device: pair?.id,
    source: openSource(what, options.sha256),
    warn(path: string, error: BeelineError) {
      skipped.push(path);
      transfer.events.emit(warningEvent(error, path));
    },
    async host(nameplate, on, guests) {
      const mailbox = await keepMailbox(dialRendezvous(server), {
        ...{ role: 'host', nameplate, deadline: SERVER_DEADLINE, keepFor: 1000 * wait, signal, guests },
        ...on,
        onWelcome: () => {
          for (const network of networks) network.welcome();
        },
      });
      transfer.cleanup.push(() => mailbox.close());
      const place = sharedPlace(mailbox);
      return {
        mailbox,
        connect(session) {
          const network = new PageNetwork(session, { server, relay: options.relay });
          networks.add(network);
          session.cleanup.push(() => void networks.delete(network));
          void network.meet(place);
          return network;
        },
      };
    },
    keep: async () => undefined,
  });
}

async function knownFrom(code: string | undefined, device: string | undefined): Promise<Known[]> {
  if (device !== undefined) return [await knownDevice(device, 'sender')];
  return code === undefined ? [] : [{ secret: fromCode(parseCode(code)) }];
}

function openSource(what: readonly Item[] | { text: string }, sha256 = false) {
  if ('text' in what) return textSource(what.text, platform.clock);
  if (what.length === 0) throw fault('NOTHING_TO_SEND');
  return new FileListSource(what, { sha256 });
}
