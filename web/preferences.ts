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
