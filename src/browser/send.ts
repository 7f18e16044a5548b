/** `send` in a page: files, folders or a text, to whoever has the code. */

import { type BeelineError, fault } from '../base/errors.ts';
import { SENDER_WAIT } from '../base/limits.ts';
import { parseCode } from '../identity/code.ts';
import { fromCode } from '../identity/secret.ts';
import { keepMailbox } from '../meeting/keeper.ts';
import type { Transfer } from '../session/api.ts';
import { warningEvent } from '../session/cause.ts';
import { serve } from '../session/sending.ts';
import { Session } from '../session/session.ts';
import { textSource } from '../session/text-source.ts';
import { untilEnd } from '../session/until-end.ts';
import type { BrowserOptions, Item } from './api.ts';
import { FileListSource } from './files/source.ts';
import { Network } from './network.ts';
import { platform, requireSecureContext } from './platform.ts';
import { dialRendezvous } from './rendezvous.ts';

/** Milliseconds for the server to answer. */
const SERVER_DEADLINE = 15_000;

export interface BrowserSendOptions extends BrowserOptions {
  /** A code of one's own, `7-crossover-clockwork`; absent: one is made. */
  code?: string;
}

/**
 * Sends files, folders or a text to one receiver, from this page.
 *
 * @returns a running transfer: subscribe to its events, or await its `done`.
 * Errors arrive there: USAGE, UNREADABLE, WRONG_CODE, SERVER, NO_PATH, REFUSED, CANCELLED, and the rest of ErrorCode.
 */
export function send(what: readonly Item[] | { text: string }, options: BrowserSendOptions): Transfer {
  const session = new Session({ ...options, clock: platform.clock, role: 'sender' });
  run(session, what, options).catch((thrown) => session.fail(thrown));
  return session;
}

async function run(
  session: Session,
  what: readonly Item[] | { text: string },
  options: BrowserSendOptions,
): Promise<void> {
  if (!session.begin()) return;
  requireSecureContext();
  const { server, code, wait = SENDER_WAIT } = options;
  const signal = untilEnd(session, options.signal);
  const skipped: string[] = [];
  let network: Network;
  await serve(session, {
    ...{ options, platform, skipped },
    known: code === undefined ? undefined : { secret: fromCode(parseCode(code)) },
    source: openSource(what, options.sha256),
    warn(path: string, error: BeelineError) {
      skipped.push(path);
      session.events.emit(warningEvent(error, path));
    },
    connect(tellPeer) {
      network = new Network(session, { role: 'sender', server, relay: options.relay }, tellPeer);
      return network;
    },
    async host(nameplate, on) {
      const mailbox = await keepMailbox(dialRendezvous(server), {
        ...{ role: 'host', nameplate, deadline: SERVER_DEADLINE, keepFor: 1000 * wait, signal },
        ...on,
        onWelcome: () => network.welcome(),
      });
      session.cleanup.push(() => mailbox.close());
      // Cancelled while the server thought it over: nothing is opened any more.
      if (!session.over) await network.meet(mailbox);
      return { mailbox };
    },
    keep: async () => undefined,
  });
}

function openSource(what: readonly Item[] | { text: string }, sha256 = false) {
  if ('text' in what) return textSource(what.text, platform.clock);
  if (what.length === 0) throw fault('NOTHING_TO_SEND');
  return new FileListSource(what, { sha256 });
}
