import { expect, test } from 'vitest';
import { problemOfName, stepMarkOf, withStepTag } from '../../src/steps/name';
import { suggestedName } from '../../src/steps/markForm';
import { cell, trans } from '../fakes';

test.each([
  ['%%step load\nx = 1', 'load', 'magic'],
  ['\n\n%%step train --metrics auc,f1 --model model\nfit()', 'train', 'magic'],
  ['%%step --model model --no-cache train', 'train', 'magic'],
  ['%%step --metrics=auc train', 'train', 'magic'],
  ['%%step', '', 'magic'],
  ['x = 1', 'tagged', 'tag'],
  ['%%stepper load', 'tagged', 'tag'],
  ['# %%step load', 'tagged', 'tag']
])('the mark of %j is %s by its %s', (source, name, by) => {
  const tags = ['other', 'step:tagged'];
  expect(stepMarkOf(cell({ source, tags }))).toEqual({ name, by });
});

test('a cell without a mark and a markdown cell are no steps', () => {
  expect(stepMarkOf(cell({ source: 'x = 1' }))).toBeNull();
  expect(
    stepMarkOf(cell({ kind: 'markdown', source: '%%step x', tags: ['step:y'] }))
  ).toBeNull();
});

test.each(['train', 'clean_data', 'a-b', 'größe', '_x', '数据'])(
  '%s can name a step',
  name => expect(problemOfName(name, ['other'], trans)).toBeNull()
);

test.each(['', '1st', 'two words', '-x', 'a.b', 'other', 'a:b'])(
  '%j cannot name a step',
  name => expect(problemOfName(name, ['other'], trans)).not.toBeNull()
);

test('the step tag is replaced, all others stay', () => {
  expect(withStepTag(['a', 'step:x', 'b'], 'y')).toEqual(['a', 'b', 'step:y']);
  expect(withStepTag(['a', 'step:x'], null)).toEqual(['a']);
});

test.each([
  ['# Clean the data set well\nx = 1', 'clean_the_data'],
  ['## Split', 'split'],
  ['x = 1', ''],
  ['# 1. Load', '']
])('%j suggests %j', (source, name) => {
  expect(suggestedName(source)).toBe(name);
});
