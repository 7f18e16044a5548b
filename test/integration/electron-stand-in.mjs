// What the Electron recipe uses of Electron, for a process without a screen. What the window would say comes as a message of the
// parent's, what it would be shown goes to the parent, and a person chooses what STAND_IN in the environment says.
import { EventEmitter } from 'node:events';

const { files, downloads, button, url } = JSON.parse(process.env.STAND_IN);
/** To the parent, until the application has ended. */
const say = (what) => process.connected && process.send(what);
const handlers = new Map();

export class BrowserWindow {
  static fromWebContents = (contents) => contents.window;
  webContents = { window: this, send: (channel, ...args) => say({ channel, args }) };
  constructor() {
    process.on('message', async ({ channel, args }) => {
      const event = { sender: this.webContents, senderFrame: { url } };
      try {
        say({ answer: (await handlers.get(channel)(event, ...args)) ?? null });
      } catch (error) {
        say({ refused: error.message });
      }
    });
  }
  loadFile = async () => say({ loaded: true });
  isDestroyed = () => false;
}

export const app = Object.assign(new EventEmitter(), {
  whenReady: async () => {},
  getPath: () => downloads,
  quit() {
    let stay = false;
    app.emit('before-quit', { preventDefault: () => (stay = true) });
    if (!stay) process.disconnect();
  },
});
process.on('message', ({ quit }) => quit && app.quit());

export const dialog = {
  showOpenDialog: async () => ({ filePaths: files }),
  async showMessageBox(_window, { message }) {
    say({ asked: message });
    return { response: button };
  },
};
export const ipcMain = { handle: (channel, handler) => handlers.set(channel, handler) };
export const powerSaveBlocker = { start: () => 1, stop: () => say({ slept: true }) };
export const shell = { openPath: async (path) => say({ opened: path }) };
