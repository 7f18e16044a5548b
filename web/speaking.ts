/** Which language the page speaks: the one that was chosen here, or else the first of the browser's that there is. */
import { languageChosen, setLanguage } from './preferences.ts';
import {
  bestLanguage,
  direction,
  fetchWords,
  isLanguage,
  type Language,
  language,
  use,
} from './words/index.ts';

/** Milliseconds: the page stands in English rather than not at all. */
const DEADLINE = 3000;

export async function speakAsWished(): Promise<void> {
  const chosen = languageChosen();
  const wanted = isLanguage(chosen) ? chosen : bestLanguage(navigator.languages);
  if (wanted === language()) return;
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, DEADLINE));
  const words = await Promise.race([fetchWords(wanted).catch(() => undefined), late]);
  if (!words) return;
  use(wanted, words);
  tellDocument();
}

/** For this visit and later ones. Rejects where the words cannot be fetched. */
export async function changeLanguage(wanted: Language): Promise<void> {
  use(wanted, await fetchWords(wanted));
  setLanguage(wanted);
  tellDocument();
}

function tellDocument(): void {
  document.documentElement.lang = language();
  document.documentElement.dir = direction();
}
