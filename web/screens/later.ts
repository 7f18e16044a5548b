/** The screens of a transfer on its way. Nobody sees one before the engine is here, so they come with it, behind the first picture. */
export { CompletedScreen } from './completed.tsx';
export { EndedScreen } from './ended.tsx';
export { OfferScreen } from './offer.tsx';
export { RunningScreen } from './running.tsx';
export { SavingScreen } from './saving.tsx';
export { WaitingScreen } from './waiting.tsx';
