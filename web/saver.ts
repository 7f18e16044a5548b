/** What a person does with what is in this browser's storage: save it elsewhere, or delete it. */
import { escapeName, type Kept } from '../src/browser/light.ts';
import { engine } from './engine.ts';
import { handOver } from './handed.ts';
import type { Home, Transferring, ViewNote } from './model/view.ts';
import { pickFolder } from './platform.ts';
import { faultNote, type Shown } from './shown.ts';
import { say } from './words/index.ts';

export class Saver {
  readonly #shown: Shown;
  readonly #release: () => void;
  #task: AbortController | undefined;

  /** @param release what is removed is given to nobody any more */
  constructor(shown: Shown, release: () => void) {
    this.#shown = shown;
    this.#release = release;
  }

  /**
   * A single file, as soon as it is whole: nobody has to press anything more. Shown is what has arrived, and the browser shows its
   * download.
   */
  async byItself(kept: Kept): Promise<void> {
    try {
      await (await engine()).saveAsDownloads(kept);
      handOver(kept);
    } catch (thrown) {
      this.#shown.note(faultNote(thrown), { saved: false });
    }
  }

  /** The copy here stays: a browser does not tell a page what became of a download. */
  async asDownloads(kept: Kept): Promise<void> {
    await this.#save(kept, undefined, async (signal) => {
      await (await engine()).saveAsDownloads(kept, signal);
      handOver(kept);
      return { note: { kind: 'done', text: say('save.inDownloads') }, removed: false };
    });
  }

  async toFolder(kept: Kept): Promise<void> {
    // At once: a browser shows its dialog only as the answer to a click.
    const folder = await pickFolder().catch((thrown) => this.#shown.fault(thrown));
    if (!folder) return;
    await this.#save(kept, 0, async (signal) => {
      const { saveToFolder } = await engine();
      await saveToFolder(kept, folder, (written) => this.#written(kept, written), signal);
      this.#release();
      await kept.remove();
      const text = say('save.inFolder', { name: escapeName(folder.name) });
      return { note: { kind: 'done', text }, removed: true };
    });
  }

  async remove(kept: Kept): Promise<void> {
    try {
      this.#release();
      await kept.remove();
      this.#shown.note({ kind: 'done', text: say('save.deleted') }, { kept: undefined });
    } catch (thrown) {
      this.#shown.fault(thrown);
    }
  }

  cancel(): void {
    this.#task?.abort();
  }

  /** @param written 0 where progress will be told, else undefined */
  async #save(
    kept: Kept,
    written: number | undefined,
    save: (signal: AbortSignal) => Promise<{ note: ViewNote; removed: boolean }>,
  ): Promise<void> {
    const before = this.#shown.view;
    if (before.at !== 'home' && before.at !== 'transfer') return;
    const task = new AbortController();
    this.#task = task;
    this.#shown.show({ at: 'saving', kept, written, before: { ...before, note: undefined } });
    try {
      const { note, removed } = await save(task.signal);
      this.#back(before);
      this.#shown.note(note, { saved: true, ...(removed && { kept: undefined }) });
    } catch (thrown) {
      this.#back(before);
      if (task.signal.aborted) this.#shown.note({ kind: 'done', text: say('save.stopped') });
      else this.#shown.fault(thrown);
    }
  }

  #back(before: Home | Transferring): void {
    const { view } = this.#shown;
    this.#shown.show(view.at === 'saving' ? view.before : before);
  }

  #written(kept: Kept, written: number): void {
    const { view } = this.#shown;
    if (view.at === 'saving' && view.kept === kept) this.#shown.show({ ...view, written });
  }
}
