import { expect, test, vi } from 'vitest';
import { Badge } from '../../../src/steps/badges/badge';
import { trans } from '../../fakes';

test('a badge says name and state, and leads to the panel', () => {
  const onClick = vi.fn();
  const badge = new Badge(trans, onClick);
  badge.show({
    name: 'train',
    state: 'stale',
    reason: 'code changed',
    figure: '2 s'
  });
  expect(badge.node.textContent).toBe('trainStale · 2 s');
  const button = badge.node.querySelector('button');
  expect(button?.title).toBe('Stale: code changed');
  button?.click();
  expect(onClick).toHaveBeenCalledTimes(1);
});

test('until the server has said it shows the name alone', () => {
  const badge = new Badge(trans, () => undefined);
  badge.show({ name: 'train', state: null, reason: '', figure: '' });
  expect(badge.node.textContent).toBe('train');
  badge.show({ name: 'train', state: 'fresh', reason: '', figure: '' });
  expect(badge.node.dataset.state).toBe('fresh');
  expect(badge.node.querySelectorAll('svg')).toHaveLength(1);
});
