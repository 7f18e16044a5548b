/** A sender and its receivers in this process, over loopback, and ways to break what is between them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { TLSSocket } from 'node:tls';
import { BeelineError } from '../../src/base/errors.ts';
import type { ReceiveOptions, SendOptions, Transfer, TransferEvent } from '../../src/node/api.ts';
import { receive } from '../../src/node/receive.ts';
import { send } from '../../src/node/send.ts';
import type { Running } from '../../src/session/transfer.ts';
import type { Peer } from '../../src/sync/peer.ts';
import type { Message } from '../../src/wire/messages.ts';

/** Every TLS socket of this process: both ends of every lane. Undocumented, but the only honest way to break one. */
export function laneSockets(): TLSSocket[] {
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
  return handles.filter((handle): handle is TLSSocket => handle instanceof TLSSocket && !handle.destroyed);
}

/** Every lane of these sides, whatever carries it: those over UDP are no handles of the process. */
export function cutLanes(...sides: Running[]): void {
  for (const socket of laneSockets()) socket.destroy();
  for (const { session } of sides) for (const lane of session.lanes) lane.close();
}

/** What a receiver needs to find this sender. */
export function meeting(sender: Transfer): Promise<{ code: string; port: number }> {
  return new Promise((resolve) => {
    let port = 0;
    sender.subscribe((event) => {
      if (event.event === 'listening') port = event.port;
      if (event.event === 'code') resolve({ code: event.code, port });
    });
  });
}

/** A folder that goes away with the test. */
export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'beeline-peer-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A sender that waits, and the way to join it, as often as is wanted. */
export async function start(
  path: string,
  options: SendOptions = {},
): Promise<{ sender: Running; join(options: Partial<ReceiveOptions>): Running }> {
  const sender = send([path], { lan: false, at: '127.0.0.1:0', ...options }) as Running;
  const { code, port } = await meeting(sender);
  const at = `127.0.0.1:${port}`;
  return { sender, join: (more) => receive({ accept: 'all', lan: false, code, at, ...more }) as Running };
}

/** The first event that fits, also one already seen; fails when the transfer ends without it. */
export function until<E extends TransferEvent['event']>(
  transfer: Transfer,
  name: E,
  fits: (event: TransferEvent & { event: E }) => boolean = () => true,
): Promise<TransferEvent & { event: E }> {
  return new Promise((resolve, reject) => {
    transfer.subscribe((event) => {
      if (event.event === name && fits(event as TransferEvent & { event: E }))
        resolve(event as TransferEvent & { event: E });
      else if (event.event === 'done' || event.event === 'error')
        reject(new Error(`no ${name} before ${JSON.stringify(event)}`));
    });
  });
}

/** The error that a transfer must end with. */
export async function failure(transfer: Transfer): Promise<BeelineError> {
  const error = await transfer.done.then(
    () => assert.fail('It succeeded.'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof BeelineError);
  return error;
}

/** Calls back as soon as there is an engine, before any lane is up. */
export function whenOpen(transfer: Running, act: (engine: Peer) => void): void {
  let told = false;
  transfer.subscribe((event) => {
    const { engine } = transfer.session;
    if (event.event !== 'state' || !engine || told) return;
    told = true;
    act(engine);
  });
}

/** Calls back in place of the receiver's engine when the first message of a type comes to it; `deliver` hands it on. */
export function intercept(
  receiver: Running,
  type: Message['type'],
  act: (deliver: () => void) => void,
): void {
  whenOpen(receiver, (engine) => {
    const original = engine.message.bind(engine);
    engine.message = (lane, message) => {
      const deliver = () => original(lane, message);
      if (message.type !== type) return deliver();
      engine.message = original;
      act(deliver);
    };
  });
}
