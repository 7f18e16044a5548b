/** What is said by the rendezvous though no lane carries it: only the proven peer's is heard, and only once. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nameOfPlace } from '../../src/identity/return-secret.ts';
import { party } from '../hostile/meetings.ts';

const WORD = { seq: 1, state: 'failed', code: 'INTERRUPTED' } as const;

/** Hands over what each has said until neither says more. */
function talk(a: ReturnType<typeof party>, b: ReturnType<typeof party>): void {
  while (a.out.length + b.out.length > 0) {
    for (const body of a.out.splice(0)) b.handshake.receive(body);
    for (const body of b.out.splice(0)) a.handshake.receive(body);
  }
}

function met() {
  const sender = party('sender', 'right-words', 'sender');
  const receiver = party('receiver', 'right-words', 'receiver');
  sender.handshake.peerAppeared();
  talk(sender, receiver);
  return { sender, receiver };
}

it('crosses both ways once both are proven, and no replay of it is heard', () => {
  const { sender, receiver } = met();
  sender.handshake.say(WORD);
  const body = sender.out[0]!;
  talk(sender, receiver);
  receiver.handshake.receive(body);
  receiver.handshake.say({ ...WORD, state: 'completed' });
  talk(sender, receiver);
  assert.deepEqual([receiver.words, sender.words], [['failed'], ['completed']]);
  assert.deepEqual([...sender.errors, ...receiver.errors], []);
});

it('a sender that is started again is proven anew, as often as it is', () => {
  const { receiver } = met();
  for (const name of ['second', 'third']) {
    const again = party('sender', 'right-words', name);
    receiver.handshake.peerAppeared();
    again.handshake.peerAppeared();
    talk(again, receiver);
    assert.deepEqual([again.met, receiver.met.at(-1)], [['receiver'], name]);
  }
  assert.deepEqual(receiver.errors, []);
});

it('the same sender come back is told where its receiver is, and nothing is proven anew', () => {
  const { sender, receiver } = met();
  receiver.handshake.peerAppeared();
  sender.handshake.peerAppeared();
  const said = [...sender.out];
  talk(sender, receiver);
  assert.equal(said.length, 2, 'a sealed hello, then a share');
  assert.deepEqual([...sender.errors, ...receiver.errors], []);
  assert.equal(receiver.met.length, 2);
});

it('whoever stands in for a sender that is gone guesses three times, whatever else the receiver has proven', () => {
  const { receiver } = met();
  const guesses = ['wrong-guess', 'other-guess', 'third-guess', 'right-words', 'right-words'].map((words) => {
    const stranger = party('sender', words, 'stranger');
    receiver.handshake.peerAppeared();
    stranger.handshake.peerAppeared();
    receiver.out.splice(0);
    for (const body of stranger.out.splice(0)) receiver.handshake.receive(body);
    return receiver.out.some((body) => JSON.parse(body).k === 'answer');
  });
  assert.deepEqual(guesses, [true, true, true, false, false]);
  assert.deepEqual(
    receiver.errors.map(({ code }) => code),
    ['AUTHENTICATION', 'AUTHENTICATION'],
  );
  assert.deepEqual(receiver.met, ['sender'], 'the one that it knows is not forgotten');
});

it('has no more guesses for letting the right sender prove itself between them', () => {
  const { receiver } = met();
  let answers = 0;
  const share = (sender: ReturnType<typeof party>) => {
    receiver.handshake.peerAppeared();
    sender.handshake.peerAppeared();
    receiver.out.splice(0);
    for (const body of sender.out.splice(0)) receiver.handshake.receive(body);
    return receiver.out.some((body) => JSON.parse(body).k === 'answer');
  };
  for (let round = 0; round < 10; round++) {
    if (share(party('sender', `guess-${round}`, 'stranger'))) answers++;
    const again = party('sender', 'right-words', 'sender');
    if (share(again)) talk(receiver, again);
    talk(again, receiver);
  }
  assert.equal(answers, 3);
});

it('a receiver that is told of a burnt code names its place, and gives nobody a second guess at the code', () => {
  const place = 'ab'.repeat(16);
  const receiver = party('receiver', 'right-words', 'receiver', { place });
  const answers = (sender: ReturnType<typeof party>, back: boolean) => {
    const [share] = sender.out.splice(0).map((body) => JSON.parse(body));
    receiver.out.splice(0);
    receiver.handshake.receive(JSON.stringify({ ...share, ...(back && { back: true }) }));
    for (const body of receiver.out.splice(0)) sender.handshake.receive(body);
    return sender.met.length;
  };
  const stranger = (words: string) => {
    const made = party('sender', words, 'stranger');
    made.handshake.peerAppeared();
    return made;
  };
  receiver.handshake.peerAppeared();
  assert.equal(answers(stranger('right-words'), true), 0, 'nothing before it has named its place');
  assert.equal(answers(stranger('wrong-guess'), false), 0, 'the one guess');
  receiver.out.splice(0);
  for (let i = 0; i < 3; i++) receiver.handshake.receive('{"k":"refuse","code":"BURNT"}');
  assert.deepEqual(receiver.out.splice(0), [JSON.stringify({ k: 'back', place: nameOfPlace(place) })]);
  assert.equal(
    answers(stranger('right-words'), true),
    0,
    'the words are not enough for a share that asks for the place',
  );
  assert.equal(answers(stranger('right-words'), false), 0);
  assert.deepEqual(
    receiver.errors.map(({ reason }) => reason),
    ['CODE_BURNT', 'CODE_BURNT', 'HANDSHAKE_DISTURBED'],
  );
});

it('is not taken from who does not have the key, nor if it is none', () => {
  const { sender, receiver } = met();
  const stranger = met();
  stranger.sender.handshake.say(WORD);
  talk(stranger.sender, receiver);
  sender.handshake.say({ ...WORD, state: 'on fire' as 'failed' });
  talk(sender, receiver);
  assert.deepEqual(receiver.words, []);
  assert.deepEqual(
    receiver.errors.map(({ code }) => code),
    ['PROTOCOL'],
  );
});

it('a sender that ends before it is proven refuses whoever is there', () => {
  const sender = party('sender', 'right-words', 'sender');
  const receiver = party('receiver', 'right-words', 'receiver');
  sender.handshake.peerAppeared();
  const said = sender.out.length;
  for (const state of ['paused', 'failed'] as const) sender.handshake.say({ ...WORD, state });
  assert.equal(sender.out.length, said, 'a word is for one who is proven');
  sender.handshake.refuse('ENDED');
  talk(sender, receiver);
  assert.deepEqual(
    receiver.errors.map(({ code }) => code),
    ['PEER_FAILED'],
  );
});

it('nobody at the rendezvous can end a sender that waits by saying that it ends', () => {
  const sender = party('sender', 'right-words', 'sender');
  sender.handshake.peerAppeared();
  sender.handshake.receive('{"k":"refuse","code":"ENDED"}');
  assert.deepEqual(sender.errors, []);
});
