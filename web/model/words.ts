/** What each state is called, for the heading, the title of the tab and screen readers. Pure. */
import { escapeName } from '../../src/browser/light.ts';
import { gap, say } from '../words/index.ts';
import { percentage, size } from '../words/numbers.ts';
import { errorHeading } from './advice.ts';
import { deviceName } from './device.ts';
import { type ContentsShown, percent, type TransferShown } from './running.ts';
import { haveIt, open, type SeveralShown, underWay } from './several.ts';
import { isWaiting, mustStay, stateOf, type View } from './view.ts';

/** '3 files, 1 folder, 1.20 GB' or 'A text, 83 B'; kinds that are not there are left out. */
export function contentsWords({ kind, files, folders, links, bytes }: ContentsShown): string {
  const parts = [
    kind === 'text' && say('text'),
    kind !== 'text' && files > 0 && say('files', { n: files }),
    kind !== 'text' && folders > 0 && say('folders', { n: folders }),
    kind !== 'text' && links > 0 && say('links', { n: links }),
    bytes === null ? say('unknownSize') : size(bytes),
  ];
  return parts.filter((part) => part !== false).join(say('join'));
}

/** The first 16 hex digits in groups of four, for two people to compare aloud. */
export function shortPrint(fingerprint: string): string {
  const hex = fingerprint.replaceAll(':', '').slice(0, 16);
  return hex.match(/.{1,4}/g)?.join(' ') ?? '';
}

/** What has moved between this receiver and others. Empty if nothing has. */
export function swarmWords({ swarm }: TransferShown): string {
  if (!swarm || swarm.up + swarm.down === 0) return '';
  return say('fact.swarmMoved', { down: size(swarm.down), up: size(swarm.up) });
}

export function heading(view: View): string {
  switch (view.at) {
    case 'home':
      return say('home.title');
    case 'staging':
      return say('staging.title');
    case 'gathering':
      return say('gathering.title');
    case 'saving':
      return say('saving.title');
    case 'transfer':
      return view.offer ? say('offer.title') : transferHeading(view.running);
  }
}

export function transferHeading(running: TransferShown): string {
  const { role, state, connected, error, several, peer, device } = running;
  const name = device ?? '';
  if (isWaiting(running)) return say(several?.receivers.size ? 'waiting.titleOthers' : 'waiting.title');
  switch (state) {
    case 'idle':
    case 'connecting':
      if (connected) return say('running.again');
      if (device !== undefined) return say(role === 'send' ? 'known.waiting' : 'known.looking', { name });
      return say(role === 'send' ? 'meeting.code' : 'meeting.sender');
    case 'authenticating':
      return device === undefined ? say('meeting.checking') : say('known.checking', { name });
    case 'transferring':
      return say(role === 'send' ? 'running.sending' : 'running.receiving');
    case 'paused':
      return say('running.paused');
    case 'completed': {
      if (several) return sentTo(several);
      if (role === 'receive') return say('completed.received');
      const device = deviceName(peer);
      return device === undefined ? say('completed.sent') : say('completed.to', { device });
    }
    case 'failed':
      if (several && several.done > 0) return sentTo(several);
      if (device !== undefined && role === 'receive' && error?.code === 'NO_PEER')
        return say('known.gone', { name });
      if (device !== undefined && role === 'send' && error?.code === 'CROWDED')
        return say('known.busy', { name });
      return errorHeading(error ?? { code: 'other' }, role);
    case 'cancelled':
      return say('cancelled.title');
  }
}

function sentTo({ done, wanted }: SeveralShown): string {
  if (wanted === 'any') return say('sentTo', { n: done });
  return done < wanted ? say('sentToSome', { done, wanted }) : say('sentToAll', { n: done });
}

/** While some receive it, and others may come. */
function severalWords(several: SeveralShown): string {
  const here = underWay(several).length;
  const parts = [
    ...(several.done > 0 ? [haveIt(several)] : []),
    ...(here > 0 ? [say('several.receiving', { n: here })] : []),
    ...(open(several) ? [say('several.open')] : []),
    ...(several.closed ? [say('several.closed')] : []),
  ];
  return parts.join(gap());
}

/** For the time when the two are not connected. Undefined if the server was there all the time. */
function serverWords({ server }: TransferShown): string | undefined {
  return server && say(server === 'away' ? 'server.away' : 'server.back');
}

const sentences = (...parts: (string | undefined | false)[]): string => parts.filter(Boolean).join(gap());

/** A sentence below the heading: what goes on, and what is expected of the person. */
export function sentence(running: TransferShown): string {
  const { role, state, by, why, connected, moving, several, device } = running;
  const peer = by === 'peer';
  if (several?.receivers.size && mustStay({ at: 'transfer', running }))
    return sentences(serverWords(running), severalWords(several));
  if (isWaiting(running)) {
    // Somebody came with the code, and ended before the two were connected.
    const ended = peer && theirWords(running);
    return sentences(serverWords(running), ended, say(several ? 'waiting.wordsSeveral' : 'waiting.words'));
  }
  switch (state) {
    case 'idle':
    case 'connecting':
      if (!connected && device !== undefined && role === 'send')
        return sentences(serverWords(running), say('known.waitingWords', { name: device }));
      if (!connected) return sentences(serverWords(running), say('meeting.words'));
      if (peer && why) return sentences(theirWords(running), say('waiting.words'));
      return sentences(say('running.lost'), serverWords(running));
    case 'authenticating':
      return say(device === undefined ? 'meeting.proof' : 'known.proof');
    case 'transferring':
      return role === 'send' && !moving ? say('running.waitYes') : '';
    case 'paused': {
      const held = peer ? theirWords(running) : whyWords(running);
      if (held !== undefined) return sentences(held, say('running.goesOn'));
      return say(peer ? 'running.pausedThere' : 'running.pausedHere');
    }
    case 'completed':
      return say('completed.checked');
    case 'failed':
      return running.error?.code === 'INTERRUPTED' ? stoppedWords(running) : '';
    case 'cancelled':
      // Of several the message says more.
      if (peer) return several ? '' : say('cancelled.there');
      return say('cancelled.here');
  }
}

/** Codes whose words name the receiver. Those of all others would be this page's own word for whatever the other side claims. */
const THEIRS: ReadonlySet<string> = new Set(['DISK_FULL', 'WRITE_FAILED', 'LOCKED', 'INTERRUPTED']);

/** What the other side says that keeps it from going on. Only a receiver's disk makes the two wait. */
function theirWords(running: TransferShown): string | undefined {
  return running.role === 'send' && THEIRS.has(running.why ?? '') ? whyWords(running) : undefined;
}

function whyWords({ why, role }: TransferShown): string | undefined {
  if (why === 'INTERRUPTED') return say('waiting.stopped');
  return why && say('full', { text: errorHeading({ code: why }, role) });
}

/** The person stopped it here. */
function stoppedWords({ role, bytes, total, folder }: TransferShown): string {
  if (bytes === 0) return say('stopped.nothing');
  if (folder) return say('stopped.inFolder', { name: escapeName(folder.name) });
  const amount = total === null ? size(bytes) : say('of', { part: size(bytes), whole: size(total) });
  return say(role === 'send' ? 'stopped.send' : 'stopped.receive', { amount });
}

/** Percents of which a screen reader is told. */
const MILESTONE = 25;

/** Screen readers say it whenever it changes. They do not say a changed heading by themselves. */
export function announcement(view: View): string {
  if (view.at !== 'transfer' || view.offer) return '';
  const { running, serving } = view;
  const done = Math.floor((percent(running) ?? 0) / MILESTONE) * MILESTONE;
  const milestone = running.state === 'transferring' && done > 0 && done < 100;
  return sentences(
    say('full', { text: transferHeading(running) }),
    sentence(running),
    milestone && say('running.milestone', { n: done }),
    serving && say('completed.serving'),
  );
}

/**
 * For whoever holds files over the page.
 * @param receiving it offers no sending
 */
export function dropWords(view: View, receiving: boolean): string {
  if (receiving) return say('drop.receiving');
  if (view.at === 'home') return say('drop.send');
  if (view.at === 'staging') return say('drop.add');
  return say(mustStay(view) || view.at === 'gathering' ? 'drop.busy' : 'drop.after');
}

/** Of how much is done, for the title and the icon of the tab; undefined where nothing moves. */
export function percentShown(view: View): number | undefined {
  const state = stateOf(view);
  const moves = state === 'transferring' || state === 'paused' || state === 'connecting';
  if (view.at !== 'transfer' || !moves || !view.running.connected) return undefined;
  return percent(view.running);
}

export function title(view: View): string {
  if (view.at === 'home') return 'Beeline';
  const done = percentShown(view);
  return [...(done === undefined ? [] : [percentage(done)]), heading(view), 'Beeline'].join(' · ');
}

/** Characters at the end of a name that are always shown: what kind of file it is stands there. */
const ENDING = 14;

/** A name from elsewhere, in no more than this many characters. */
export function shortName(name: string, most = 80): string {
  const whole = escapeName(name);
  if (whole.length <= most) return whole;
  return `${whole.slice(0, most - ENDING - 1)}…${whole.slice(-ENDING)}`;
}
