import { expect, test } from 'vitest';
import { shareHeights } from '../../../src/framework/panel/heights';

test.each([
  ['what is left over goes to the last', [100, 50, 30], 300, [100, 50, 150]],
  [
    'a long section takes what short ones leave',
    [40, 900, 60],
    300,
    [40, 200, 60]
  ],
  ['two long sections share alike', [500, 900, 60], 300, [120, 120, 60]],
  ['all too long', [500, 900, 400], 300, [100, 100, 100]],
  ['no room', [10, 20], 0, [0, 0]],
  ['no sections', [], 100, []]
])('%s', (_, wanted, available, heights) => {
  expect(shareHeights(wanted, available)).toEqual(heights);
});
