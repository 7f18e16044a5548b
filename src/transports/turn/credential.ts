/** The long-term credential (RFC 8489, 9.2): what proves each request, and how the server's challenges change it. */

import { longTermKey } from '../../nat/stun/credentials.ts';
import { ATTRIBUTE, attributeOf, type StunAttribute, type StunMessage } from '../../nat/stun/message.ts';
import type { TurnServer } from '../../wire/rendezvous.ts';

/** Bytes of 127 characters (RFC 8489, 14.9 and 14.10). */
const MAX_TEXT = 763;

export class Credential {
  readonly #server: Pick<TurnServer, 'username' | 'credential'>;
  #realm: Uint8Array | undefined;
  #nonce: Uint8Array | undefined;
  #key: Uint8Array | undefined;

  constructor(server: Pick<TurnServer, 'username' | 'credential'>) {
    this.#server = server;
  }

  /** For MESSAGE-INTEGRITY; undefined until the server has told its realm and a nonce. */
  get key(): Uint8Array | undefined {
    return this.#key;
  }

  /** What a request carries besides; nothing until there is a key. */
  attributes(): StunAttribute[] {
    if (!this.#key || !this.#realm || !this.#nonce) return [];
    return [
      { type: ATTRIBUTE.username, value: new TextEncoder().encode(this.#server.username) },
      { type: ATTRIBUTE.realm, value: this.#realm },
      { type: ATTRIBUTE.nonce, value: this.#nonce },
    ];
  }

  /** Takes the realm and nonce of a 401 or 438. False if there is nothing in it to try again with. */
  learn(challenge: StunMessage): boolean {
    const realm = attributeOf(challenge, ATTRIBUTE.realm) ?? this.#realm;
    const nonce = attributeOf(challenge, ATTRIBUTE.nonce);
    if (!realm || !nonce || realm.length > MAX_TEXT || nonce.length > MAX_TEXT) return false;
    this.#realm = realm.slice();
    this.#nonce = nonce.slice();
    const { username, credential } = this.#server;
    this.#key = longTermKey(username, new TextDecoder().decode(realm), credential);
    return true;
  }

  /** The same as it stands now: what one connection learns may not be true on another. */
  copy(): Credential {
    const copy = new Credential(this.#server);
    [copy.#realm, copy.#nonce, copy.#key] = [this.#realm, this.#nonce, this.#key];
    return copy;
  }
}
