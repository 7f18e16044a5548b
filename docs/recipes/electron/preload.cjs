// What the window may ask for: these four, and nothing else of Electron or Node.
const { contextBridge, ipcRenderer } = require('electron');

contextBridge.exposeInMainWorld('beeline', {
  /** Asks for files. @returns the number of the transfer, or undefined */
  send: () => ipcRenderer.invoke('beeline:send'),
  receive: (/** @type {string} */ code) => ipcRenderer.invoke('beeline:receive', code),
  cancel: (/** @type {number} */ id) => ipcRenderer.invoke('beeline:cancel', id),
  onEvent(/** @type {(id: number, event: object) => void} */ listener) {
    ipcRenderer.on('beeline:event', (_, id, event) => listener(id, event));
  },
});
