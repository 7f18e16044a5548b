/** What each state is called, for the heading, the title of the tab and screen readers. Pure. */
import { escapeName, formatBytes } from '../../src/browser/light.ts';
import { type ContentsShown, percent, type TransferShown } from './running.ts';
import { haveIt, open, type SeveralShown, underWay } from './several.ts';
import { isWaiting, mustStay, stateOf, type View } from './view.ts';

export function count(amount: number, noun: string): string {
  return `${amount.toLocaleString('en')} ${noun}${amount === 1 ? '' : 's'}`;
}

/** '3 files, 1 folder, 1.20 GB' or 'A text, 83 B'; kinds that are not there are left out. */
export function contentsWords({ kind, files, folders, links, bytes }: ContentsShown): string {
  if (kind === 'text') return `A text, ${formatBytes(bytes ?? 0)}`;
  const parts = [
    files > 0 && count(files, 'file'),
    folders > 0 && count(folders, 'folder'),
    links > 0 && count(links, 'link'),
    bytes === null ? 'of unknown size' : formatBytes(bytes),
  ];
  return parts.filter((part) => part !== false).join(', ');
}

/** The first 16 hex digits in groups of four, for two people to compare aloud. */
export function shortPrint(fingerprint: string): string {
  const hex = fingerprint.replaceAll(':', '').slice(0, 16);
  return hex.match(/.{1,4}/g)?.join(' ') ?? '';
}

export function peerWords({ peer }: TransferShown): string {
  if (!peer) return '';
  const print = shortPrint(peer.fingerprint);
  return peer.name === undefined ? print : `${escapeName(peer.name)} (${print})`;
}

/** What has moved between this receiver and others. Empty if nothing has. */
export function swarmWords({ swarm }: TransferShown, others = 'other receivers'): string {
  if (!swarm || swarm.up + swarm.down === 0) return '';
  return `${formatBytes(swarm.down)} came from ${others}, ${formatBytes(swarm.up)} went to them`;
}

export function heading(view: View): string {
  switch (view.at) {
    case 'home':
      return 'Beeline';
    case 'gathering':
      return 'Looking through your files';
    case 'saving':
      return 'Saving';
    case 'transfer':
      return view.offer ? 'Do you want to receive this?' : transferHeading(view.running);
  }
}

/** Ends that somebody wanted are no failures to a person. */
const ENDED: Readonly<Record<string, string>> = { REFUSED: 'Declined', INTERRUPTED: 'Stopped for now' };

export function transferHeading(running: TransferShown): string {
  const { role, state, connected, error, several } = running;
  if (isWaiting(running)) return several?.receivers.size ? 'Waiting for others' : 'Ready to send';
  switch (state) {
    case 'idle':
    case 'connecting':
      if (connected) return 'Connecting again';
      return role === 'send' ? 'Getting a code' : 'Looking for the sender';
    case 'authenticating':
      return 'Checking the code';
    case 'transferring':
      return role === 'send' ? 'Sending' : 'Receiving';
    case 'paused':
      return 'Paused';
    case 'completed':
      return several ? sentTo(several) : role === 'send' ? 'Sent' : 'Received';
    case 'failed':
      if (several && several.done > 0) return sentTo(several);
      return ENDED[error?.code ?? ''] ?? 'That did not work';
    case 'cancelled':
      return 'Cancelled';
  }
}

function sentTo({ done, wanted }: SeveralShown): string {
  if (wanted === 'any') return `Sent to ${done}`;
  return done < wanted ? `Sent to ${done} of ${wanted}` : `Sent to all ${done}`;
}

/** While some receive it, and others may come. */
function severalWords(several: SeveralShown): string {
  const here = underWay(several).length;
  const parts = [
    ...(several.done > 0 ? [`${haveIt(several)}.`] : []),
    ...(here > 0 ? [`${here} ${here === 1 ? 'is' : 'are'} receiving.`] : []),
    ...(open(several) ? ['More can come with the same code.'] : []),
    ...(several.closed ? ['Nobody else is let in.'] : []),
  ];
  return parts.join(' ');
}

/** For the time when the two are not connected. Empty if the server was there all the time. */
function serverWords({ server }: TransferShown): string {
  if (server === undefined) return '';
  return server === 'away'
    ? 'The server cannot be reached. Trying again… '
    : 'The server could not be reached for a while; it is there again. ';
}

/** A sentence below the heading: what goes on, and what is expected of the person. */
export function sentence(running: TransferShown): string {
  const { role, state, by, reason, connected, moving, several } = running;
  const peer = by === 'peer';
  if (several?.receivers.size && mustStay({ at: 'transfer', running }))
    return `${serverWords(running)}${severalWords(several)}`;
  if (isWaiting(running)) {
    // Somebody came with the code, and ended before the two were connected.
    const ended = peer && reason ? `${reason} ` : '';
    return `${serverWords(running)}${ended}Keep this page open. Nothing is uploaded: sending begins when ${several ? 'somebody' : 'the other side'} comes.`;
  }
  switch (state) {
    case 'idle':
    case 'connecting':
      if (!connected) return `${serverWords(running)}The server only helps the two sides to find each other.`;
      if (peer && reason) return reason;
      return `The connection was lost. ${serverWords(running)}This page keeps trying. What has arrived is not lost.`;
    case 'authenticating':
      return 'The two sides prove to each other that they have the same code.';
    case 'transferring':
      if (role === 'send' && !moving) return 'Connected. Waiting for the other side to say yes.';
      return '';
    case 'paused':
      if (reason) return `${reason} The transfer goes on by itself once that is over.`;
      return peer ? 'The other side paused.' : 'You paused. The connection is kept.';
    case 'completed':
      return `Every byte was checked. The root is the same on ${several ? 'all' : 'both'} sides.`;
    case 'failed':
      return running.error?.code === 'INTERRUPTED' ? stoppedWords(running) : '';
    case 'cancelled':
      // Of several the message says more.
      return peer ? (several ? '' : 'The other side cancelled.') : 'You cancelled.';
  }
}

/** The person stopped it here. */
function stoppedWords({ role, bytes, total }: TransferShown): string {
  if (bytes === 0) return 'You stopped. Nothing had moved yet.';
  const amount = total === null ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(total)}`;
  return role === 'send'
    ? `You stopped. The other side has ${amount}.`
    : `You stopped. What has arrived, ${amount}, is kept in this browser.`;
}

export const SERVING = 'Others still fetch from you. You can close this page: all of it is here.';

/** Screen readers say it whenever it changes. They do not say a changed heading by themselves. */
export function announcement(view: View): string {
  if (view.at !== 'transfer' || view.offer) return '';
  const serving = view.serving ? ` ${SERVING}` : '';
  return `${transferHeading(view.running)}. ${sentence(view.running)}${serving}`.trim();
}

/**
 * For whoever holds files over the page.
 * @param receiving it offers no sending
 */
export function dropWords(view: View, receiving: boolean): string {
  if (receiving) return 'This page only receives: nothing can be sent from here.';
  if (view.at === 'home') return 'Drop to send';
  if (mustStay(view) || view.at === 'gathering')
    return 'One transfer at a time: let this one end or cancel it, then drop these.';
  return `Press ${stateOf(view) === 'completed' ? 'Again' : 'Back'} first, then drop these.`;
}

export function title(view: View): string {
  if (view.at === 'home') return 'Beeline';
  const state = stateOf(view);
  const parts = [heading(view), 'Beeline'];
  if (view.at === 'transfer' && (state === 'transferring' || state === 'paused' || state === 'connecting')) {
    const done = view.running.connected ? percent(view.running) : undefined;
    if (done !== undefined) parts.unshift(`${done}%`);
  }
  return parts.join(' · ');
}
