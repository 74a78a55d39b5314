import { engineContract } from './engine-contract.ts';
import { simulated } from './specs.ts';

engineContract(() => {
  const { engine, run } = simulated();
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    let isSettled = false;
    const note = (): void => {
      isSettled = true;
    };
    promise.then(note, note);
    await run(() => isSettled);
    return promise;
  };
  return { engine, image: 'demo/db', settled };
});
