/**
 * The whole page takes files and folders that are dropped on it, and files that are pasted. Where it cannot, it says what to do
 * instead: a browser would open a dropped file in the place of the page, and so end what runs.
 */
import { useEffect, useState } from 'preact/hooks';
import type { Page } from '../page.ts';

const holdsFiles = (data: DataTransfer | null): data is DataTransfer =>
  data?.types.includes('Files') ?? false;

/** @param page what takes them; absent where nothing can be sent, of which `words` tell */
export function Drop({ page, words }: { page?: Page | undefined; words: string }) {
  const [over, setOver] = useState(false);
  useEffect(() => {
    // Each element that is entered or left sends an event: what counts is whether any is still entered.
    let depth = 0;
    const enter = (event: DragEvent) => {
      if (!holdsFiles(event.dataTransfer)) return;
      event.preventDefault();
      depth++;
      setOver(true);
    };
    const hover = (event: DragEvent) => {
      if (!holdsFiles(event.dataTransfer)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = page ? 'copy' : 'none';
    };
    const leave = (event: DragEvent) => {
      if (!holdsFiles(event.dataTransfer)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    const drop = (event: DragEvent) => {
      if (!holdsFiles(event.dataTransfer)) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      void page?.addDropped(event.dataTransfer.items);
    };
    const paste = ({ clipboardData, target }: ClipboardEvent) => {
      // An office program copies a text together with a picture of it.
      const typing = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
      if (!clipboardData?.files.length || (typing && clipboardData.types.includes('text/plain'))) return;
      page?.addPasted(clipboardData.files);
    };
    const listeners = Object.entries({ dragenter: enter, dragover: hover, dragleave: leave, drop, paste });
    for (const [name, listener] of listeners) addEventListener(name, listener as EventListener);
    return () => {
      for (const [name, listener] of listeners) removeEventListener(name, listener as EventListener);
    };
  }, [page]);
  useEffect(() => {
    // The card that takes it shows so by itself.
    document.body.classList.toggle('dragging', over && page !== undefined);
  }, [over, page]);
  if (!over) return null;
  return (
    <div class={page ? 'drop takes' : 'drop'} aria-hidden="true">
      <p>{words}</p>
    </div>
  );
}
