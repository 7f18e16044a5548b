/**
 * Two peers prove to each other that they share a secret, and exchange hellos under the key they get from it. The
 * receiver proves first: it made the guess, and the sender shows nothing to one that cannot prove it.
 */

import { asBeelineError, type BeelineError, fault } from '../base/errors.ts';
import { PROTOCOL_VERSION } from '../base/limits.ts';
import { KeyedChannel } from '../identity/channel.ts';
import { nameOfPlace, returnPassword } from '../identity/return-secret.ts';
import type { SharedSecret } from '../identity/secret.ts';
import { deriveScalar, Spake2, type Spake2Options } from '../identity/spake2.ts';
import {
  decodeHello,
  decodeSealed,
  decodeSignal,
  encodeHello,
  encodeSignal,
  encodeWord,
  type Hello,
  type Refusal,
  type Signal,
  type Word,
} from '../wire/signal.ts';
import type { Guesses } from './guesses.ts';

/** The exchange that proves the secret, of one run. */
export type Pake = (options: Spake2Options) => Pick<Spake2, 'share' | 'finish'>;

export interface HandshakeOptions {
  role: 'sender' | 'receiver';
  secret: SharedSecret;
  hello: () => Hello;
  /** Sender: the wrong guesses so far. */
  guesses: Guesses;
  /** Sender: the place that has this name, of somebody who was here. */
  placeNamed?: (name: string) => string | undefined;
  /** Sender: one has proved itself. Called before this side's hello is made; false if there is no place for it. */
  admit: (hello: Hello) => boolean;
  /** SPAKE2, if it is not said otherwise: a simulation has no time for the curve. */
  pake?: Pake | undefined;
  send: (body: string) => void;
  /** The peer is proven; again when it comes back from elsewhere or as a new process. */
  onHello: (hello: Hello) => void;
  /** The proven peer says something that does not wait for a lane. */
  onWord: (word: Word) => void;
  onFail: (error: BeelineError) => void;
}

/**
 * Shares that a receiver answers in a run though no proof follows, once its sender has been proven: as many as a sender of several
 * lets strangers guess.
 */
const MOST_UNSETTLED = 3;

const spake2: Pake = (of) => new Spake2(of);

/** An exchange with itself, thrown away: the curve's code is compiled while nobody waits, not while the peer does. */
export function warmUp(pake = spake2): void {
  const w = new Uint8Array(32).fill(1);
  const other = pake({ role: 'B', w, idA: '', idB: '' });
  pake({ role: 'A', w, idA: '', idB: '' }).finish(other.share);
}

export class Handshake {
  readonly #options: HandshakeOptions;
  readonly #context: string;
  readonly #scalar: Uint8Array;
  readonly #exchange: Pake;
  #pake: ReturnType<Pake> | undefined;
  /** Sender: whoever answers the present share has to be the receiver that had this place. */
  #returning: string | undefined;
  /** Receiver: the place that it has named, since the sender came. */
  #said: string | undefined;
  #pending:
    | { verify: (confirmation: Uint8Array) => boolean; channel: KeyedChannel; guessable: boolean }
    | undefined;
  #channel: KeyedChannel | undefined;
  /** The share at hand has been shown to a peer: the next one gets another. */
  #shown = false;
  /** Something has changed that the peer could not be told yet. */
  #stale = false;
  /** Receiver: answers for a code that no proof has followed, in this run. Each of them may have been somebody's guess. */
  #unsettled = 0;
  /** Since the other side came, the process that is known there has said something. */
  #heard = false;

  constructor(options: HandshakeOptions) {
    this.#options = options;
    // The version and the nameplate are in every key: neither can be altered on the way unnoticed.
    this.#context = `beeline/${PROTOCOL_VERSION}/${options.secret.nameplate}`;
    this.#scalar = deriveScalar(options.secret.password, this.#context);
    this.#exchange = options.pake ?? spake2;
    this.#pake = this.#start();
  }

  /** The other side is at the rendezvous (again): a sender shows a fresh share, a known receiver a fresh hello. */
  peerAppeared(): void {
    this.#heard = false;
    this.#said = undefined;
    // What was said while it was away is lost.
    this.update();
    if (this.#options.role === 'receiver' || this.#options.guesses.burnt) return;
    if (this.#shown || !this.#pake) this.#pake = this.#start();
    this.#shown = true;
    this.#returning = undefined;
    this.#send({ k: 'share', v: PROTOCOL_VERSION, share: this.#pake.share });
  }

  /** Tells a proven peer where this side can be reached now. */
  update(): void {
    this.#stale = !this.#channel || this.#pending !== undefined;
    if (this.#channel) this.#send({ k: 'sealed', sealed: this.#sealHello(this.#channel) });
  }

  /** Says it to a proven peer. */
  say(word: Word): void {
    if (this.#channel) this.#send({ k: 'sealed', sealed: this.#channel.seal(encodeWord(word)) });
  }

  /** Tells one who is not proven why there is nothing for it here. */
  refuse(code: Refusal): void {
    if (!this.#channel) this.#send({ k: 'refuse', code });
  }

  /** A body came from the rendezvous. Never throws. */
  receive(body: string): void {
    try {
      this.#take(decodeSignal(body, PROTOCOL_VERSION));
    } catch (thrown) {
      const error = asBeelineError(thrown, 'PROTOCOL');
      if (error.code === 'VERSION') this.#send({ k: 'refuse', code: 'VERSION' });
      this.#options.onFail(error);
    }
  }

  #take(signal: Signal): void {
    const { role } = this.#options;
    switch (signal.k) {
      case 'share':
        if (role === 'receiver') this.#answer(signal);
        return;
      case 'back':
        if (role === 'sender') this.#comeBack(signal.place);
        return;
      case 'answer':
        if (role === 'sender') this.#accept(signal);
        return;
      case 'accept':
        if (role === 'receiver') this.#conclude(signal.confirmation, signal.sealed);
        return;
      case 'sealed':
        // What does not open was meant for an earlier run of the other side, or was tampered with: it says nothing.
        return this.#open(signal.sealed);
      case 'refuse':
        return this.#refused(signal.code);
    }
  }

  /**
   * Receiver: the sender's share came. A sender that knows this side says so before it shows one, and is just told where
   * this side is now. Anybody else may be the sender started again, and has to prove it.
   */
  #answer({ share, back }: Signal & { k: 'share' }): void {
    if (this.#channel && this.#heard) return this.update();
    // Nobody guesses a place: an answer that proves it may be given as often as it is asked for.
    if (back)
      return this.#said === undefined ? undefined : this.#prove(share, this.#start(this.#said), false);
    // The answer proves this side first, so who chose the share learns whether its guess was right. A second share
    // before the first is settled may be a second guess. A settled one was none: that sender had the code. It may then be
    // killed, started again, and killed once more before it has proved itself. Whoever lets the right one settle between its
    // guesses has no more of them for it.
    const most = this.#channel ? MOST_UNSETTLED : 1;
    if (this.#unsettled >= most) throw fault('HANDSHAKE_DISTURBED');
    // A key and a device's secret cannot be guessed.
    const guessable = this.#options.secret.way === 'code';
    if (guessable) this.#unsettled++;
    // Made ahead for the first share; every further one gets its own.
    const pake = this.#pake ?? this.#start();
    this.#pake = undefined;
    this.#prove(share, pake, guessable);
  }

  #prove(share: Uint8Array, pake: ReturnType<Pake>, guessable: boolean): void {
    const { key, confirmation, verify } = pake.finish(share);
    const channel = new KeyedChannel(key, 'receiver', this.#context);
    this.#stale = false;
    this.#pending = { verify, channel, guessable };
    const sealed = this.#sealHello(channel);
    this.#send({ k: 'answer', v: PROTOCOL_VERSION, share: pake.share, confirmation, sealed });
  }

  /**
   * Sender: under a code that is burnt, a receiver that was there before may still prove that it is that one. It has to know its
   * place besides, and who guesses codes does not.
   */
  #comeBack(name: string): void {
    const { guesses, placeNamed } = this.#options;
    if (!guesses.burnt) return;
    const place = placeNamed?.(name);
    if (place === undefined) {
      this.refuse('BURNT');
      throw fault('CODE_BURNT');
    }
    this.#returning = place;
    this.#pake = this.#start(place);
    this.#send({ k: 'share', v: PROTOCOL_VERSION, share: this.#pake.share, back: true });
  }

  /** Sender: a receiver claims to have the secret. */
  #accept(answer: Signal & { k: 'answer' }): void {
    const pake = this.#pake;
    if (!pake) throw fault('PEER_MISBEHAVES', { what: 'answered twice' });
    // A share serves one answer only: a second one would be a second guess.
    this.#pake = undefined;
    const { secret, guesses } = this.#options;
    const returning = this.#returning;
    if (guesses.burnt && returning === undefined) return this.refuse('BURNT');
    const { key, confirmation, verify } = pake.finish(answer.share);
    if (!verify(answer.confirmation)) {
      // Also when the right one has come long ago: the rendezvous must not go on guessing while files move.
      if (returning === undefined && secret.way === 'code') guesses.wrong();
      this.#send({ k: 'refuse', code: secret.way !== 'code' || guesses.burnt ? 'WRONG_CODE' : 'TRY_AGAIN' });
      throw this.#wrong();
    }
    const channel = new KeyedChannel(key, 'sender', this.#context);
    const hello = decodeHello(channel.open(answer.sealed));
    // The place that it has proven, and no other.
    if (returning !== undefined && hello.place !== returning) return this.refuse('BURNT');
    if (!this.#options.admit(hello)) return;
    this.#channel = channel;
    this.#send({ k: 'accept', confirmation, sealed: this.#sealHello(this.#channel) });
    this.#options.onHello(hello);
  }

  /** Receiver: the sender proves itself too. */
  #conclude(confirmation: Uint8Array, sealed: string): void {
    const pending = this.#pending;
    if (!pending) throw fault('PEER_MISBEHAVES', { what: 'accepted what was not asked' });
    this.#pending = undefined;
    if (!pending.verify(confirmation)) {
      this.#send({ k: 'refuse', code: 'WRONG_CODE' });
      throw this.#wrong();
    }
    this.#channel = pending.channel;
    if (pending.guessable) this.#unsettled--;
    this.#heard = true;
    if (this.#stale) this.update();
    this.#options.onHello(decodeHello(this.#channel.open(sealed)));
  }

  #open(sealed: string): void {
    if (!this.#channel) return;
    let plain: string;
    try {
      plain = this.#channel.open(sealed);
    } catch {
      return;
    }
    this.#heard = true;
    const said = decodeSealed(plain);
    if ('word' in said) this.#options.onWord(said.word);
    else this.#options.onHello(said.hello);
  }

  #refused(code: Refusal): void {
    const { role } = this.#options;
    switch (code) {
      case 'VERSION':
        throw fault('PEER_OTHER_VERSION');
      case 'WRONG_CODE':
        throw this.#wrong();
      case 'TRY_AGAIN':
        throw fault('CODE_WRONG_YET');
      // Only senders say it. A sender that hears it goes on waiting.
      case 'ENDED':
        if (role === 'receiver') throw fault('SENDER_ENDED');
        return;
      case 'FULL':
        if (role === 'receiver') throw fault('OFFER_FULL');
        return;
      case 'CLOSED':
        if (role === 'receiver') throw fault('OFFER_CLOSED');
        return;
      case 'BURNT':
        if (role === 'receiver') this.#returnOr(fault('CODE_BURNT'));
    }
  }

  /** Receiver: the code is of no use any more. It may have been here before, which only the sender knows. */
  #returnOr(error: BeelineError): void {
    const { place } = this.#options.hello();
    if (place === undefined || this.#said !== undefined) throw error;
    this.#said = place;
    this.#send({ k: 'back', place: nameOfPlace(place) });
  }

  /** @param place of the receiver that comes back, which then is a part of the secret; undefined: the secret alone is proven */
  #start(place?: string): ReturnType<Pake> {
    const { role, secret } = this.#options;
    return this.#exchange({
      role: role === 'sender' ? 'A' : 'B',
      w:
        place === undefined
          ? this.#scalar
          : deriveScalar(returnPassword(secret, place), `${this.#context}/return`),
      idA: 'beeline sender',
      idB: 'beeline receiver',
      aad: new TextEncoder().encode(this.#context),
    });
  }

  #sealHello(channel: KeyedChannel): string {
    return channel.seal(encodeHello(this.#options.hello()));
  }

  #send(signal: Signal): void {
    this.#options.send(encodeSignal(signal));
  }

  /** Only the sender can make a new code. */
  #wrong(): BeelineError {
    const { role, secret, guesses } = this.#options;
    if (secret.way === 'psk') return fault('KEY_WRONG');
    if (secret.way === 'device') return fault('DEVICE_WRONG');
    if (role === 'sender' && guesses.most > 1)
      return guesses.burnt
        ? fault('CODE_GUESSED_OUT')
        : fault('CODE_GUESSED', { tries: guesses.tries, most: guesses.most });
    return fault('CODE_WRONG', {
      next: role === 'sender' ? 'Send again for a new one.' : 'Ask the sender for a new one.',
    });
  }
}
