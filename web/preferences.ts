/** What a person has chosen for later visits. A browser may store nothing for this site: then a choice lasts as long as the page. */
const SHARE = 'beeline-share';

export function shares(): boolean {
  try {
    return localStorage.getItem(SHARE) !== 'no';
  } catch {
    return true;
  }
}

export function setShares(share: boolean): void {
  try {
    if (share) localStorage.removeItem(SHARE);
    else localStorage.setItem(SHARE, 'no');
  } catch {
    // This page knows it all the same.
  }
}

const LANGUAGE = 'beeline-language';

/** What was chosen here; undefined where the browser's own wish counts. */
export function languageChosen(): string | undefined {
  try {
    return localStorage.getItem(LANGUAGE) ?? undefined;
  } catch {
    return undefined;
  }
}

export function setLanguage(language: string): void {
  try {
    localStorage.setItem(LANGUAGE, language);
  } catch {
    // It lasts as long as the page.
  }
}

const NEAR = 'beeline-near';
const NEAR_NAME = 'beeline-near-name';

/** Whether others that are near see this device, which is asked anew in each visit: the next one may be in another network. The name is known. */
export function near(): { shown: boolean; name: string | undefined } {
  try {
    return {
      shown: sessionStorage.getItem(NEAR) === 'yes',
      name: localStorage.getItem(NEAR_NAME) ?? undefined,
    };
  } catch {
    return { shown: false, name: undefined };
  }
}

export function setNear({ shown, name }: { shown: boolean; name: string }): void {
  try {
    if (shown) sessionStorage.setItem(NEAR, 'yes');
    else sessionStorage.removeItem(NEAR);
    localStorage.setItem(NEAR_NAME, name);
  } catch {
    // It lasts as long as the page.
  }
}
