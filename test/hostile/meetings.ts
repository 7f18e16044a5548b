import type { TestContext } from 'node:test';
import type { BeelineError } from '../../src/base/errors.ts';
import { fromCode } from '../../src/identity/secret.ts';
import { type Mailbox as Client, openMailbox } from '../../src/meeting/mailbox.ts';
import { startServer } from '../../src/server/index.ts';
import type { Limits } from '../../src/server/limits.ts';
import { Guesses } from '../../src/session/guesses.ts';
import { Handshake } from '../../src/session/handshake.ts';
import { helloOf } from '../hello.ts';

/** One side's handshake, with all that it says kept. */
export function party(
  role: 'sender' | 'receiver',
  password: string,
  name: string,
  more: { place?: string } = {},
) {
  const side = {
    name,
    out: [] as string[],
    met: [] as string[],
    words: [] as string[],
    errors: [] as BeelineError[],
  };
  const fingerprint = Buffer.from(name.padEnd(32)).toString('hex');
  const handshake = new Handshake({
    ...{ guesses: new Guesses(1), admit: () => true },
    role,
    secret: fromCode({ nameplate: '7', password }),
    hello: () => helloOf({ fingerprint, agent: name, ...more }),
    send: (body) => side.out.push(body),
    onHello: (hello) => side.met.push(hello.agent),
    onWord: (word) => side.words.push(word.state),
    onFail: (error) => side.errors.push(error),
  });
  return Object.assign(side, { role, handshake });
}
export type Party = ReturnType<typeof party>;

/** A standing server, closed behind the test. */
export async function server(t: TestContext, limits?: Partial<Limits>) {
  const running = await startServer({ port: 0, host: '127.0.0.1', limits });
  t.after(() => running.close());
  return running;
}

/** A stranger at a mailbox; resolves with its way in, or with the code of the refusal. */
export async function stranger(
  t: TestContext,
  url: string,
  nameplate = '7',
  role: 'guest' | 'host' = 'guest',
) {
  const heard: string[] = [];
  const lost: string[] = [];
  let mailbox: Client | undefined;
  const refused = await openMailbox({
    role,
    url,
    nameplate,
    deadline: 5000,
    reconnect: false,
    onMessage: (body) => heard.push(body),
    onPeer: () => {},
    onLost: (error) => lost.push(error.code),
  }).then(
    (opened) => {
      mailbox = opened;
      t.after(() => opened.close());
      return '';
    },
    (error: BeelineError) => error.code,
  );
  return { refused, heard, lost, mailbox };
}
