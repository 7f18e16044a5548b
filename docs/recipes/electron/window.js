// The window: a line for each transfer. What an event says is shown as text.
/** @typedef {import('@beeline-transfer/beeline').TransferEvent} TransferEvent */
/** @type {{ send(): Promise<void>, receive(code: string): Promise<void>, onEvent(listener: (id: number, event: TransferEvent) => void): void }} */
const beeline = Reflect.get(window, 'beeline');
/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const code = /** @type {HTMLInputElement} */ (element('code'));
/** @type {Map<number, HTMLLIElement>} */
const lines = new Map();

element('send').addEventListener('click', () => void beeline.send());
element('receive').addEventListener('submit', (event) => {
  event.preventDefault();
  void beeline.receive(code.value);
});
beeline.onEvent((id, event) => {
  const line = lines.get(id) ?? document.createElement('li');
  if (!lines.has(id)) element('transfers').append(line);
  lines.set(id, line);
  if (event.event === 'code') line.textContent = `The code is ${event.code}`;
  if (event.event === 'progress') line.textContent = `${event.bytes} of ${event.total ?? '?'} bytes`;
  if (event.event === 'done') line.textContent = `Done: ${event.files} files`;
  if (event.event === 'error') line.textContent = event.message;
});
