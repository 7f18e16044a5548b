/** What tells a person who looks elsewhere: the icon of the tab, and a notification at the end where it is allowed. */
import { useEffect, useRef } from 'preact/hooks';

/** Percents between two icons. */
const STEP = 25;

/** The icon of the tab fills up. @param percent undefined while nothing moves */
export function useTabIcon(percent: number | undefined): void {
  const step = percent === undefined ? undefined : Math.floor(percent / STEP) * STEP;
  useEffect(() => {
    if (step === undefined) return;
    const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"][type="image/svg+xml"]');
    const usual = icon?.href;
    if (!icon || usual === undefined) return;
    icon.href = `/progress/${step}.svg`;
    return () => {
      icon.href = usual;
    };
  }, [step]);
}

/** Whether the person can still be asked to allow it. */
export const mayAsk = (): boolean => 'Notification' in globalThis && Notification.permission === 'default';

/** Only as the answer to a click. */
export async function askToNotify(): Promise<boolean> {
  return (await Notification.requestPermission()) === 'granted';
}

/** Shown when it ends while the page is not looked at. @param text undefined until it has ended */
export function useNotice(text: string | undefined): void {
  const before = useRef(text);
  useEffect(() => {
    const ended = before.current === undefined && text !== undefined;
    before.current = text;
    if (!ended || document.visibilityState === 'visible') return;
    if (!('Notification' in globalThis) || Notification.permission !== 'granted') return;
    void notify(text);
  }, [text]);
}

/** By the page's own worker where there is one, since phones let nothing else: it brings this page back at a click. */
export async function notify(body: string): Promise<void> {
  const options = { body, icon: '/icon.svg', data: location.href };
  try {
    const shell = await navigator.serviceWorker?.getRegistration('/').catch(() => undefined);
    if (shell?.active) return await shell.showNotification('Beeline', options);
    const notice = new Notification('Beeline', options);
    notice.onclick = () => {
      focus();
      notice.close();
    };
  } catch {
    // Nobody can be told.
  }
}
