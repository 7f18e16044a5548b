/**
 * A folder with everything below it as one stream, ZIP or tar, made while it is read: nothing is kept but names. A file that cannot be read,
 * or that changes, ends it with an error.
 */
import { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { pack as makePack, type Pack } from 'tar-stream';
import { type ZipMember, zipLength, zipStream } from '../../archive/zip.ts';
import type { ServedFile, ServedNode, ServedTree } from './tree.ts';

export type ArchiveKind = 'zip' | 'tar';

export const ARCHIVE_TYPES = { zip: 'application/zip', tar: 'application/x-tar' } as const;

/** Up to so many entries an archive's length is found out first. More would keep the person waiting. */
const MOST_MEASURED = 20_000;
const PIECE = 256 * 1024;

/** The bytes that `archiveOf` makes, undefined if there are too many entries to tell. Of a tar nobody tells. */
export async function archiveLength(
  tree: ServedTree,
  folder: ServedNode,
  kind: ArchiveKind,
): Promise<number | undefined> {
  if (kind === 'tar') return undefined;
  const members: Omit<ZipMember, 'content'>[] = [];
  const folders: string[] = [];
  for await (const node of tree.walk(folder)) {
    if (members.length + folders.length >= MOST_MEASURED) return undefined;
    if (node.kind === 'folder') folders.push(memberPath(folder, node));
    else members.push({ path: memberPath(folder, node), size: node.size, mtime: node.mtime });
  }
  return zipLength(members, folders);
}

export function archiveOf(
  tree: ServedTree,
  folder: ServedNode,
  kind: ArchiveKind,
): AsyncIterable<Uint8Array> {
  return kind === 'zip' ? zipStream(zipMembers(tree, folder)) : tarOf(tree, folder);
}

/** All of it is in one folder, so that it does not spill into where it is unpacked. */
function memberPath(folder: ServedNode, { path }: ServedNode): string {
  return [folder.name, ...path.slice(folder.path.length)].join('/');
}

async function* zipMembers(tree: ServedTree, folder: ServedNode): AsyncGenerator<ZipMember> {
  for await (const node of tree.walk(folder)) {
    const { kind, size, mtime } = node;
    const path = memberPath(folder, node);
    if (kind === 'folder') yield { path, size: 0, mtime };
    else yield { path, size, mtime, content: streamOf(contentOf(tree, node)) };
  }
}

function streamOf(pieces: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  return NodeReadableStream.from(pieces) as unknown as ReadableStream<Uint8Array>;
}

/** @throws if it has another length than it was listed with */
async function* contentOf(tree: ServedTree, node: ServedNode): AsyncGenerator<Uint8Array> {
  // An empty file is opened too: it may not be readable.
  const file: ServedFile = await tree.open(node);
  try {
    for (let at = 0; at < node.size; ) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, node.size - at));
      const got = await file.read(buffer, at);
      if (got < buffer.length) throw new Error('A file is shorter than it was.');
      at += got;
      yield buffer;
    }
  } finally {
    await file.close();
  }
}

function tarOf(tree: ServedTree, folder: ServedNode): AsyncIterable<Uint8Array> {
  const pack = makePack();
  const failed = (error: Error) => {
    pack.destroy(error);
  };
  const fill = async () => {
    for await (const node of tree.walk(folder)) {
      const { kind, size } = node;
      // Whole seconds: a fraction would need a second header.
      const mtime = new Date(1000 * Math.floor(node.mtime / 1000));
      const name = memberPath(folder, node);
      const type = kind === 'folder' ? 'directory' : 'file';
      const header = { name: kind === 'folder' ? `${name}/` : name, size, mtime, type } as const;
      await new Promise<void>((resolve, reject) => {
        const entry = pack.entry(header, (error) => (error ? reject(error) : resolve()));
        if (type === 'file') pour(tree, node, entry).catch(failed);
      });
    }
    pack.finalize();
  };
  fill().catch(failed);
  return pack as AsyncIterable<Uint8Array>;
}

async function pour(tree: ServedTree, node: ServedNode, entry: ReturnType<Pack['entry']>): Promise<void> {
  let closed = false;
  let awake = () => {};
  entry.once('close', () => {
    closed = true;
    awake();
  });
  for await (const piece of contentOf(tree, node)) {
    // Nobody reads it any more.
    if (closed) return;
    if (entry.write(piece)) continue;
    await new Promise<void>((resolve) => {
      awake = resolve;
      entry.once('drain', resolve);
    });
  }
  entry.end(undefined);
}
