/** What a receiver is asked before anything is written: whether to accept, and what to do with files that exist. */
import { resolve } from 'node:path';
import { BeelineError, retold } from '../base/errors.ts';
import { InTurn } from '../base/in-turn.ts';
import { escapeName } from '../base/printable.ts';
import type { OfferSummary, Overwrite, ReceiveOptions } from '../node/api.ts';
import { contents, formatBytes, groups } from './format.ts';
import type { ReceiveArgs } from './options.ts';
import type { Prompt } from './prompt.ts';
import type { Screen } from './screen.ts';

export const NO_TERMINAL =
  'Nothing was accepted, because there is no terminal to ask on. Run the command again with --yes to accept without being asked.';

const REFRESH = 'The sender calls this a refresh: receive with --update to replace files that differ.';

/** The lines above the question. Names in an offer come escaped; `Screen.line` would escape them again, harmlessly. */
export function describeOffer(offer: OfferSummary): string[] {
  const fingerprint = groups(offer.peer.fingerprint);
  const who =
    offer.peer.name === undefined ? `The other side (${fingerprint})` : `${offer.peer.name} (${fingerprint})`;
  if (offer.kind === 'text')
    return [`${who} offers a text${offer.bytes === null ? '' : `, ${formatBytes(offer.bytes)}`}.`];
  return [
    `${who} offers ${contents(offer)}:`,
    ...offer.names.slice(0, 20).map((name) => `    ${name}`),
    ...(offer.tops > offer.names.length ? ['    ...'] : []),
  ];
}

type Choice = Exclude<Overwrite, 'ask'>;
const CHOICES: Readonly<Record<string, Choice>> = { s: 'skip', r: 'rename', p: 'replace', u: 'update' };

/** Asks on the terminal, and remembers a capital letter's answer for the files after it. */
export class Questions {
  readonly #prompt: Prompt;
  readonly #screen: Screen;
  #always: Choice | undefined;
  /** The sender calls it a refresh, and nobody has been asked about that yet. */
  #refresh = false;
  /** One at a time, so that an answer for all reaches the files that wait. */
  readonly #turns = new InTurn();
  readonly #tell: (event: { event: string }) => void;
  #within = '';

  /** @param tell what was offered, and whether it is taken */
  constructor(prompt: Prompt, screen: Screen, tell: (event: { event: string }) => void = () => undefined) {
    this.#prompt = prompt;
    this.#screen = screen;
    this.#tell = tell;
  }

  /** Where what was accepted goes, below the folder that was named. */
  get within(): string {
    return this.#within;
  }

  /** Called before the sender is met: it then goes on waiting for one who can answer. @throws BeelineError REFUSED */
  check(args: { yes: boolean }): void {
    if (!args.yes && !this.#prompt.possible) throw new BeelineError('REFUSED', NO_TERMINAL);
  }

  /** The callbacks that the library needs; without a terminal no `onConflict`, so that it raises EXISTS. */
  options({
    yes,
    options: { to, overwrite },
  }: Pick<ReceiveArgs, 'yes'> & { options: Pick<ReceiveArgs['options'], 'to' | 'overwrite'> }): Pick<
    ReceiveOptions,
    'accept' | 'onConflict'
  > {
    return {
      accept: async (offer) => {
        this.#within = offer.within ?? '';
        this.#refresh = offer.update && overwrite === 'ask';
        const accepted = yes || (await this.#accept(offer, to));
        const { peer: _, ...what } = offer;
        this.#tell({ event: 'offer', accepted, ...what } as { event: string });
        return accepted;
      },
      onConflict:
        overwrite === 'ask' && this.#prompt.possible
          ? (path) => this.#turns.run(() => this.#conflict(path))
          : undefined,
    };
  }

  /** The library knows only that there was no answer; the person should know that nobody was asked, and what to do. */
  explained(thrown: unknown): unknown {
    const refresh = this.#refresh && thrown instanceof BeelineError && thrown.code === 'EXISTS';
    return refresh ? retold(thrown, `${thrown.message} ${REFRESH}`) : thrown;
  }

  async #accept(offer: OfferSummary, to: string): Promise<boolean> {
    this.#screen.line(describeOffer(offer));
    const folder = escapeName(resolve(to, this.#within));
    const where = offer.kind === 'text' ? '' : to === '-' ? ' to stdout' : ` into ${folder}`;
    return this.#prompt.confirm(`Accept${where}? [y/N] `);
  }

  async #conflict(path: string): Promise<Choice> {
    if (this.#refresh) {
      this.#refresh = false;
      const question =
        'The sender calls this a refresh of what it sent before. Replace the files that differ? [y/N] ';
      if (await this.#prompt.confirm(question)) this.#always = 'update';
    }
    for (;;) {
      if (this.#always) return this.#always;
      const answer = await this.#prompt.ask(
        `${escapeName(path)} exists: [s]kip, [r]ename, re[p]lace, [u]pdate (capitals: for all)? `,
      );
      // Silence must not overwrite anything.
      if (answer === undefined) return 'skip';
      const letter = answer.charAt(0);
      const word = Object.values(CHOICES).find((choice) => choice === answer.toLowerCase());
      const choice = word ?? (answer.length === 1 ? CHOICES[letter.toLowerCase()] : undefined);
      if (choice === undefined) continue;
      if (!word && letter !== letter.toLowerCase()) this.#always = choice;
      return choice;
    }
  }
}
