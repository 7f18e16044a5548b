/** The tables of option names have what the types have: that is told by the compiler, and that they are all there by the test. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  DeliverOptions,
  DiagnoseOptions,
  DownloadOptions,
  ListenOptions,
  ReceiveOptions,
  Remote,
  SendItem,
  SendOptions,
  ServeOptions,
  Stoppable,
  VerifyOptions,
} from '../../src/index.ts';
import type { UploadOptions } from '../../src/node/inbox/uploads.ts';
import { NAMES } from '../../src/node/option-names.ts';

/** A table with each name of a type, and no other. */
type Names<T> = { readonly [N in keyof T]-?: boolean };
type Same<A, B> = [keyof A] extends [keyof B] ? ([keyof B] extends [keyof A] ? true : never) : never;

const SAME: { readonly [K in keyof typeof NAMES]: true } = {
  send: true satisfies Same<typeof NAMES.send, Names<SendOptions>>,
  receive: true satisfies Same<typeof NAMES.receive, Names<ReceiveOptions>>,
  download: true satisfies Same<typeof NAMES.download, Names<DownloadOptions>>,
  listen: true satisfies Same<typeof NAMES.listen, Names<ListenOptions>>,
  'listen.http': true satisfies Same<(typeof NAMES)['listen.http'], Names<UploadOptions>>,
  serve: true satisfies Same<typeof NAMES.serve, Names<ServeOptions>>,
  diagnose: true satisfies Same<typeof NAMES.diagnose, Names<DiagnoseOptions>>,
  deliver: true satisfies Same<typeof NAMES.deliver, Names<DeliverOptions>>,
  verify: true satisfies Same<typeof NAMES.verify, Names<VerifyOptions>>,
  unfinished: true satisfies Same<typeof NAMES.unfinished, Names<Stoppable>>,
  discard: true satisfies Same<typeof NAMES.discard, Names<Stoppable>>,
  'send.items': true satisfies Same<(typeof NAMES)['send.items'], Names<SendItem>>,
  'download.what': true satisfies Same<(typeof NAMES)['download.what'], Names<Remote>>,
};

test('each table of option names is compared with its type', () => {
  assert.deepEqual(Object.keys(SAME).sort(), Object.keys(NAMES).sort());
});
