/** A look at the network ends in time though garbage is collected meanwhile: a sender would wait for ever otherwise. */
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { taken } from '../../../src/meeting/lan/find.ts';

test('looking for nameplates ends, whatever the garbage collector does', { timeout: 90_000 }, async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const collecting = setInterval(collect, 20);
  t.after(() => clearInterval(collecting));
  await taken(500, { interfaces: ['127.0.0.1'] });
});
