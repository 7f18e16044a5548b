/** A program can narrow every event, and every field that has a closed set of values, by literals. Checked when this compiles. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ErrorCode, Reason, State, TransferEvent } from '../../src/index.ts';

type Of<E extends TransferEvent['event']> = Extract<TransferEvent, { event: E }>;
/** True for a type with members of its own, false for `string` and the like. */
type Closed<T> = [T] extends [string] ? (string extends T ? false : true) : false;

const closed: [
  Closed<TransferEvent['event']>,
  Closed<State>,
  Closed<Of<'state'>['from']>,
  Closed<Of<'state'>['to']>,
  Closed<NonNullable<Of<'state'>['by']>>,
  Closed<Of<'manifest'>['kind']>,
  Closed<Of<'lane'>['status']>,
  Closed<Of<'error'>['code']>,
  Closed<NonNullable<Of<'error'>['reason']>>,
  Closed<Of<'warning'>['code']>,
  Closed<NonNullable<Of<'warning'>['reason']>>,
] = [true, true, true, true, true, true, true, true, true, true, true];
// Transports are open: whoever adds one names it.
const open: Closed<Of<'lane'>['kind']> = false;

/** Compiles only while each event is named here, and each narrows to its own fields. */
function told(event: TransferEvent): string {
  switch (event.event) {
    case 'code':
      return event.code;
    case 'web':
    case 'http':
      return event.links.join();
    case 'download':
      return `${event.id} ${event.status} ${event.path} ${event.size}`;
    case 'downloaded':
      return event.address;
    case 'listening':
      return String(event.port);
    case 'state':
      return `${event.from} ${event.to}`;
    case 'peer':
      return event.fingerprint;
    case 'manifest':
      return `${event.kind} ${event.files}`;
    case 'reading':
      return String(event.files);
    case 'resumed':
    case 'progress':
      return String(event.bytes);
    case 'lane':
      return event.status === 'open' ? event.kind : `${event.kind} ${event.bytes}`;
    case 'server':
      return String(event.reachable);
    case 'warning':
    case 'error': {
      const code: ErrorCode = event.code;
      const reason: Reason | undefined = event.reason;
      return `${code} ${reason}`;
    }
    case 'ended':
      return `${event.peer} ${event.ok}`;
    case 'swarm':
      return `${event.from} ${event.to} ${event.up} ${event.down}`;
    case 'text':
      return event.text;
    case 'trusted':
      return event.name + event.key;
    case 'digest':
      return event.sha256;
    case 'whole':
      return event.names.join();
    case 'placed':
      return event.as ?? event.path;
    case 'done':
      return event.root;
    default: {
      const none: never = event;
      return none;
    }
  }
}

test('events are told apart by `event`, and their closed fields have literal types', () => {
  assert.ok(closed.every(Boolean) && !open);
  assert.equal(told({ event: 'lane', id: 1, kind: 'mine', local: '', remote: '', status: 'open' }), 'mine');
  assert.equal(
    told({ event: 'error', code: 'NO_PATH', reason: 'NO_FIRST_LANE', message: '' }),
    'NO_PATH NO_FIRST_LANE',
  );
  // @ts-expect-error A status is one of two.
  told({ event: 'lane', id: 1, kind: 'mine', local: '', remote: '', status: 'opening' });
});
