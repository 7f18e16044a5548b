/** What a person has chosen for later visits. A browser may store nothing for this site: then a choice lasts as long as the page. */
import { store, stored } from './stored.ts';

const SHARE = 'beeline-share';
const LANGUAGE = 'beeline-language';
const NEAR = 'beeline-near';
const NEAR_NAME = 'beeline-near-name';

export const shares = (): boolean => stored(SHARE) !== 'no';
export const setShares = (share: boolean): void => store(SHARE, share ? undefined : 'no');

/** What was chosen here; undefined where the browser's own wish counts. */
export const languageChosen = (): string | undefined => stored(LANGUAGE);
export const setLanguage = (language: string): void => store(LANGUAGE, language);

/** Whether others that are near see this device, which is asked anew in each visit: the next one may be in another network. The name is known. */
export function near(): { shown: boolean; name: string | undefined } {
  return { shown: stored(NEAR, 'session') === 'yes', name: stored(NEAR_NAME) };
}

export function setNear({ shown, name }: { shown: boolean; name: string }): void {
  store(NEAR, shown ? 'yes' : undefined, 'session');
  store(NEAR_NAME, name);
}
