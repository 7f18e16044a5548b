/** Messages into frames. */
import { Writer } from '../base/bytes.ts';
import { FORMS, type Message, type MessageType, OFFER_KINDS, STATUS_STATES, TYPES } from './messages.ts';

function frame(type: MessageType, body: Uint8Array, dataLength = 0): Uint8Array<ArrayBuffer> {
  return new Writer()
    .u32(body.length + dataLength)
    .u8(TYPES.indexOf(type))
    .raw(body)
    .done();
}

/** The frame of a message; for blocks everything before its data. */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const body = new Writer();
  switch (message.type) {
    case 'offer':
      body
        .varint(message.version)
        .u8(OFFER_KINDS.indexOf(message.kind))
        .varint(message.entries)
        .varint(message.pages);
      body.u8(message.bytes === undefined ? 0 : 1).varint(message.bytes ?? 0);
      body.u32(message.chunkSize).u8((message.sha256 ? 1 : 0) | (message.update ? 2 : 0));
      break;
    case 'get-page':
      body.varint(message.page);
      break;
    case 'page':
      body.varint(message.page).bytes(message.bytes);
      break;
    case 'get':
      body.varint(message.ranges.length);
      for (const { index, from, to } of message.ranges) body.varint(index).varint(from).varint(to);
      break;
    case 'get-hash':
      body.varint(message.chunks.length);
      for (const chunk of message.chunks) body.varint(chunk);
      break;
    case 'hash':
      body.varint(message.index).varint(message.length).raw(message.sha256);
      break;
    case 'arrived':
      body.varint(message.bytes).varint(message.kept).varint(message.chunks.length);
      for (const chunk of message.chunks) body.varint(chunk);
      break;
    case 'blocks': {
      const high = Math.floor(message.index / 2 ** 32);
      body
        .u32(high)
        .u32(message.index % 2 ** 32)
        .u32(message.length)
        .u32(message.offset)
        .u8(FORMS.indexOf(message.form))
        .raw(message.sha256);
      return frame('blocks', body.done(), message.bytes);
    }
    case 'have':
      body.varint(message.chunks.length);
      for (const { index, sha256 } of message.chunks) body.varint(index).raw(sha256);
      break;
    case 'written':
      body.varint(message.below);
      break;
    case 'status':
      body.varint(message.seq).u8(STATUS_STATES.indexOf(message.state)).text(message.code).text(message.text);
      break;
    case 'ping':
    case 'pong':
      body.u32(message.nonce);
      break;
    case 'want-lanes':
      body.varint(message.count);
      break;
    case 'finish':
      body.raw(message.root).varint(message.gone.length);
      for (const entry of message.gone) body.varint(entry);
      break;
    case 'finished':
      body.raw(message.root).varint(message.started).varint(message.ended);
      break;
    case 'confirmed':
      break;
    case 'gone':
      body.varint(message.entry).text(message.code).text(message.text);
      break;
    case 'holds':
      body.varint(message.first).bytes(message.bits);
      break;
    case 'lacks':
      body.varint(message.index).varint(message.from).varint(message.to);
      break;
  }
  return frame(message.type, body.done());
}
