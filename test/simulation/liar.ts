/**
 * A peer that lies: an engine of ours whose messages are garbled as they leave, whatever they are, so that it gets as
 * far as an honest one and knows no message by name but those that end a transfer.
 */
import type { HashName } from '../../src/offer/hashing.ts';
import type { Message } from '../../src/wire/messages.ts';
import type { Mutate } from './lanes.ts';
import type { Scenario } from './scenario.ts';
import { hashOf } from './stores.ts';
import type { World } from './world.ts';

/** Messages that it says again some time. */
const MEMORY = 50;

export function liar(
  world: World,
  { lies, liesOneIn }: Scenario,
  heard: { root: Uint8Array | undefined },
): Mutate {
  // It agrees to any root, and is honest but for its bytes.
  if (lies === 'fickle sender')
    return (message) => [
      message.type === 'finished' ? { ...message, root: heard.root ?? message.root } : message,
    ];
  const said: Message[] = [];
  let by: HashName = 'sha256';
  return (message) => {
    if (message.type === 'offer') by = message.hash;
    if (said.length < MEMORY) said.push(message);
    else said[world.below(MEMORY)] = message;
    if (!world.chance(1 / liesOneIn)) return [message];
    switch (world.below(7)) {
      case 0:
        return [];
      case 1:
        return [message, message];
      case 2:
        return [message, garbled(world, message)];
      case 3:
        return [bodiless(world.pick(said)), message];
      case 4:
        return [withHash(garbled(world, message), by)];
      default:
        return [garbled(world, message)];
    }
  };
}

/** What was said long ago has no buffer any more. */
function bodiless(message: Message): Message {
  return 'data' in message ? { ...message, data: Uint8Array.from(message.data) } : message;
}

/** One field is something else. */
function garbled(world: World, message: Message): Message {
  const fields = Object.keys(message).filter((key) => key !== 'type');
  if (fields.length === 0) return message;
  const field = world.pick(fields);
  const value = (message as unknown as Record<string, unknown>)[field];
  return { ...message, [field]: other(world, value) } as Message;
}

function other(world: World, value: unknown): unknown {
  if (typeof value === 'number')
    return world.pick([0, 1, value + 1, Math.max(0, value - 1), 2 * value, world.below(1 << 20)]);
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'string')
    return world.pick(['', 'x', 'data', 'zeros', 'same', 'running', 'paused', 'failed', 'blake3', 'sha256']);
  if (value instanceof Uint8Array) {
    const bytes = Uint8Array.from(value);
    if (bytes.length > 0) bytes[world.below(bytes.length)]! ^= 1 + world.below(255);
    return world.chance(0.8) ? bytes : bytes.subarray(0, world.below(bytes.length + 1));
  }
  if (!Array.isArray(value) || value.length === 0) return value;
  const list = [...value];
  const at = world.below(list.length);
  switch (world.below(4)) {
    case 0:
      list.splice(at, 1);
      return list;
    case 1:
      return [...list, ...list];
    case 2:
      list[at] = typeof list[at] === 'object' ? { ...list[at], index: world.below(1000) } : world.below(1000);
      return list;
    default:
      return list.reverse();
  }
}

/** Wrong, and consistent. */
function withHash(message: Message, by: HashName): Message {
  if (!('data' in message) || !('hash' in message)) return message;
  return { ...message, hash: hashOf(message.data, by) };
}
