/** All of the page that is about devices nearby. It comes behind the engine, which it needs. */
export { NearHere } from './here.ts';
export { NearCallCard, NearDevices, SendNear } from './parts.tsx';
