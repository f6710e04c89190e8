import { expect, test } from 'vitest';
import { fieldOf, readField } from '../../src/runs/fields';
import type { FieldValue, Read } from '../../src/runs/fields';
import type { Json, Parameter } from '../../src/framework/wire';
import { parameter, trans } from '../fakes';

const value = (given: Json): Read => ({ kind: 'value', value: given });
const unchanged: Read = { kind: 'default' };

const of = (type: string, given: Json): Partial<Parameter> => ({
  type,
  default: given,
  default_source: JSON.stringify(given)
});

const cases: Array<[string, Partial<Parameter>, FieldValue, Read | 'problem']> =
  [
    ['an int', of('int', 3), '10', value(10)],
    ['an int with a sign', of('int', 3), ' -2 ', value(-2)],
    ['a fraction for an int', of('int', 3), '1.5', 'problem'],
    ['nothing for an int', of('int', 3), '', 'problem'],
    [
      'an int past what a float can hold',
      of('int', 3),
      '12345678901234567890',
      'problem'
    ],
    ['a float', of('float', 0.5), '1e-3', value(0.001)],
    ['a whole float', of('float', 0.5), '2', value(2)],
    ['no float', of('float', 0.5), 'half', 'problem'],
    ['an endless float', of('float', 0.5), '1e999', 'problem'],
    ['a flag', of('bool', true), false, value(false)],
    ['a text that looks like a number', of('str', 'x'), '007', value('007')],
    ['a text with spaces', of('str', 'x'), ' y ', value(' y ')],
    ['an empty text', of('str', 'x'), '', value('')],
    ['a list', of('list', [1]), '[1, 2]', value([1, 2])],
    ['a broken list', of('list[int]', [1]), '[1, 2', 'problem'],
    ['None for Optional[int]', of('Optional[int]', 3), '', value(null)],
    ['None for int | None', of('int | None', 3), '', value(null)],
    ['a value for int | None', of('int | None', null), '4', value(4)],
    ['None left as it is', of('str | None', null), '', unchanged],
    ['an untyped text', of('any', 'x'), 'y', value('y')],
    ['the default', of('float', 0.5), '0.5', unchanged],
    ['the default flag', of('bool', false), false, unchanged],
    [
      'a default that is computed',
      { type: 'any', default: null, has_default: false, default_source: 'f()' },
      '',
      unchanged
    ],
    [
      'a date',
      { ...of('date', '2024-01-01'), base: 'date' },
      '2024-02-29',
      value('2024-02-29')
    ],
    [
      'a float with a range',
      {
        ...of('Rate', 0.5),
        definition: 'Annotated[float, Field(gt=0)] | None',
        base: 'float'
      },
      '0.25',
      value(0.25)
    ],
    [
      'a choice',
      { ...of('Mode', 'FAST'), base: 'Enum', choices: ['FAST', 'SLOW'] },
      '"SLOW"',
      value('SLOW')
    ],
    [
      'None among choices',
      { ...of('Literal', 1), choices: [1, 'a', null] },
      'null',
      value(null)
    ],
    [
      'the choice that is the default',
      { ...of('Literal', null), choices: [1, null] },
      'null',
      unchanged
    ],
    ['no choice', { ...of('Literal', 1), choices: [1, 2] }, '', 'problem'],
    [
      'a flag without a known default',
      { type: 'bool', default: null, has_default: false },
      'true',
      value(true)
    ]
  ];

test.each(cases)('%s', (_, declared, given, expected) => {
  const read = readField(fieldOf(parameter(declared)), given, trans);
  if (expected === 'problem') {
    expect(read.kind).toBe('problem');
  } else {
    expect(read).toEqual(expected);
  }
});

test('the kind of a field follows the type', () => {
  const kindOf = (type: string, given: Json) =>
    fieldOf(parameter(of(type, given))).kind;
  expect(kindOf('int', 1)).toBe('integer');
  expect(kindOf('float', 1)).toBe('number');
  expect(kindOf('bool', true)).toBe('flag');
  expect(kindOf('bool | None', null)).toBe('json');
  expect(kindOf('str', '')).toBe('text');
  expect(kindOf('dict', {})).toBe('json');
});

test('a default that is too large to be here is kept by a field that is left empty', () => {
  const field = fieldOf(
    parameter({
      type: 'str',
      default: null,
      default_source: '"aaa… (20,000,000 characters)',
      left_out: 20_000_000
    })
  );
  expect(field.initial).toBe('');
  expect(field.kind).toBe('text');
  expect(field.left).toBe(20_000_000);
  expect(readField(field, '', trans)).toEqual({ kind: 'default' });
  expect(readField(field, 'x', trans)).toEqual({ kind: 'value', value: 'x' });
});
