import { expect, test } from 'vitest';
import { Latest } from '../../../src/framework/api/latest';

test('asked while running, it runs exactly once more', async () => {
  const ends: Array<() => void> = [];
  let begun = 0;
  const latest = new Latest(() => {
    begun += 1;
    return new Promise(resolve => ends.push(resolve));
  });
  const first = latest.run();
  const second = latest.run();
  const third = latest.run();
  expect(second).toBe(third);
  ends[0]();
  await first;
  await Promise.resolve();
  expect(begun).toBe(2);
  ends[1]();
  await second;
  expect(begun).toBe(2);
});

test('a failure does not stop what comes after it', async () => {
  let begun = 0;
  const latest = new Latest(() => {
    begun += 1;
    return begun === 1 ? Promise.reject(new Error('no')) : Promise.resolve();
  });
  const first = latest.run();
  const second = latest.run();
  await expect(first).rejects.toThrow('no');
  await second;
  expect(begun).toBe(2);
});
