// Electron: the main process sends and receives, the window shows it. It has no Node of its own, and says what, never where.
import { join } from 'node:path';
import { receive, send, type Transfer } from '@beeline-transfer/beeline';
import { app, BrowserWindow, dialog, ipcMain, powerSaveBlocker, shell } from 'electron';

const transfers = new Map<number, Transfer>();
let last = 0;
/** Ends all of them together with the application. What a receiver has stays, and the next time goes on from there. */
const ending = new AbortController();
// The same in both, for a test between two of them on one machine.
const { BEELINE_AT: at } = process.env;
const common = { signal: ending.signal, ...(at === undefined ? {} : { at, lan: false }) };

function show(window: BrowserWindow, transfer: Transfer): number {
  const id = ++last;
  transfers.set(id, transfer);
  // The machine stays awake meanwhile; its screen may go dark.
  const awake = powerSaveBlocker.start('prevent-app-suspension');
  transfer.subscribe((event) => {
    if (!window.isDestroyed()) window.webContents.send('beeline:event', id, event);
  });
  // How it ended is an event too.
  transfer.done.catch(() => {});
  void transfer.closed.then(() => {
    powerSaveBlocker.stop(awake);
    transfers.delete(id);
  });
  return id;
}

function open(): void {
  const window = new BrowserWindow({
    ...{ width: 480, height: 360 },
    webPreferences: { preload: join(import.meta.dirname, 'preload.cjs'), sandbox: true },
  });
  void window.loadFile(join(import.meta.dirname, 'window.html'));
}

/** Only a window of ours asks; what another page could be in it gets nothing. */
function windowOf(event: Electron.IpcMainInvokeEvent): BrowserWindow {
  const window = BrowserWindow.fromWebContents(event.sender);
  if (!window || !event.senderFrame?.url.startsWith('file:')) throw new Error('This page may not ask');
  return window;
}

ipcMain.handle('beeline:send', async (event) => {
  const window = windowOf(event);
  // A person chooses, not the page.
  const { filePaths } = await dialog.showOpenDialog(window, { properties: ['openFile', 'multiSelections'] });
  return filePaths.length === 0 ? undefined : show(window, send(filePaths, common));
});

ipcMain.handle('beeline:receive', (event, code: unknown) => {
  const window = windowOf(event);
  const to = app.getPath('downloads');
  const transfer = receive({
    ...common,
    ...{ code: String(code), to },
    async accept({ names, files, bytes }) {
      const { response } = await dialog.showMessageBox(window, {
        ...{
          message: `Receive ${names.join(', ')}?`,
          detail: `Files: ${files}. Bytes: ${bytes ?? 'unknown'}.`,
        },
        ...{ buttons: ['Receive', 'Decline'], defaultId: 0, cancelId: 1 },
      });
      return response === 0;
    },
  });
  transfer.done.then(
    () => shell.openPath(to),
    () => {},
  );
  return show(window, transfer);
});

ipcMain.handle('beeline:cancel', (event, id: unknown) => {
  windowOf(event);
  transfers.get(Number(id))?.cancel();
});

let quitting = false;
app.on('before-quit', (event) => {
  if (quitting || transfers.size === 0) return;
  // Once everything is closed.
  event.preventDefault();
  quitting = true;
  ending.abort();
  void Promise.all([...transfers.values()].map(({ closed }) => closed)).then(() => app.quit());
});
app.on('window-all-closed', () => app.quit());
void app.whenReady().then(open);
