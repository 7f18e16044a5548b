/**
 * A folder picker cannot be driven. In its place `showDirectoryPicker` gives a folder of the browser's own storage, which
 * is written by the same calls; `pickedFiles` reads what was put there.
 */
import type { BeelinePage } from './page.ts';

/** For `prepare`: the folder `picked` is what a person would choose. */
export const PICKER = `
globalThis.showDirectoryPicker = async () =>
  (await navigator.storage.getDirectory()).getDirectoryHandle('picked', { create: true });
`;

/** Paths (folders end in '/') with the files' bytes. For files small enough to be in memory. */
export async function pickedFiles(page: BeelinePage): Promise<Map<string, Buffer>> {
  const found = await page.ask<[string, string][]>(`(async () => {
    const found = [];
    const walk = async (folder, prefix) => {
      for await (const [name, handle] of folder) {
        const path = prefix + name;
        if (handle.kind === 'directory') {
          found.push([path + '/', '']);
          await walk(handle, path + '/');
        } else {
          const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
          let text = '';
          for (let at = 0; at < bytes.length; at += 32768)
            text += String.fromCharCode(...bytes.subarray(at, at + 32768));
          found.push([path, btoa(text)]);
        }
      }
    };
    await walk(await (await navigator.storage.getDirectory()).getDirectoryHandle('picked'), '');
    return found;
  })()`);
  return new Map(found.map(([path, base64]) => [path, Buffer.from(base64, 'base64')]));
}
