// A parameter as a field of a form: which kind of input suits its type, what stands in it, which value that is.
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Json, Parameter } from '../framework/wire';

/** `text` and `number` are typed, `flag` is ticked, `choice` is picked, `json` is any other value as JSON. */
export type FieldKind =
  'text' | 'integer' | 'number' | 'flag' | 'choice' | 'json';

/** What stands in a field: a flag is true or false, everything else text. */
export type FieldValue = string | boolean;

export interface Field {
  name: string;
  kind: FieldKind;
  /** The type as the notebook has it. */
  type: string;
  help: string;
  /** Which values are taken, in words. */
  range: string;
  /** For a `choice`: all values. */
  choices: ReadonlyArray<Json>;
  /** Whether nothing is a value: an empty field is None. */
  optional: boolean;
  /** What stands in the field at first. */
  initial: FieldValue;
  /** The default as the notebook has it, for a field that is left empty. */
  placeholder: string;
  /** Of a default too large to be edited here, how many characters it has: a field that is left empty keeps it. */
  left: number;
}

/** Either the value to send, or nothing to send (the notebook's own default holds), or what is wrong. */
export type Read =
  | { kind: 'value'; value: Json }
  | { kind: 'default' }
  | { kind: 'problem'; message: string };

const KINDS: { readonly [type: string]: FieldKind } = {
  int: 'integer',
  float: 'number',
  bool: 'flag',
  str: 'text',
  date: 'text',
  datetime: 'text',
  timedelta: 'text',
  Path: 'text',
  Decimal: 'text'
};

export function fieldOf(parameter: Parameter): Field {
  const { type, optional } = bareType(parameter.definition || parameter.type);
  const nullable =
    optional ||
    (parameter.has_default &&
      parameter.default === null &&
      parameter.left_out === 0);
  const kind = kindOf(parameter, type, nullable);
  return {
    name: parameter.name,
    kind,
    type: parameter.type,
    help: parameter.help,
    range: parameter.range,
    choices: parameter.choices,
    optional: nullable,
    initial: initialOf(parameter, kind),
    placeholder: parameter.default_source,
    left: parameter.left_out
  };
}

/** What stands in a `choice` for one of its values. */
export function labelOf(choice: Json): string {
  return typeof choice === 'string' ? choice : JSON.stringify(choice);
}

/** What to send for a field in which `given` stands. */
export function readField(
  field: Field,
  given: FieldValue,
  trans: TranslationBundle
): Read {
  if (given === field.initial) {
    return { kind: 'default' };
  }
  if (typeof given === 'boolean') {
    return { kind: 'value', value: given };
  }
  const text = field.kind === 'text' ? given : given.trim();
  if (text === '' && field.optional && field.kind !== 'choice') {
    return { kind: 'value', value: null };
  }
  switch (field.kind) {
    case 'integer':
      return readInteger(text, trans);
    case 'number':
      return readNumber(text, trans);
    case 'choice':
      return readChoice(field, text, trans);
    case 'json':
      return readJson(text, trans);
    default:
      return { kind: 'value', value: text };
  }
}

function readInteger(text: string, trans: TranslationBundle): Read {
  if (!/^[+-]?\d+$/.test(text)) {
    return problem(trans.__('Enter a whole number, such as 10.'));
  }
  const value = Number(text);
  return Number.isSafeInteger(value)
    ? { kind: 'value', value }
    : problem(
        trans.__(
          'Too large for this form: pass it with "jupyter mlops run -p".'
        )
      );
}

function readNumber(text: string, trans: TranslationBundle): Read {
  const value = Number(text);
  return text === '' || !Number.isFinite(value)
    ? problem(trans.__('Enter a number, such as 0.1 or 1e-3.'))
    : { kind: 'value', value };
}

function readChoice(
  field: Field,
  text: string,
  trans: TranslationBundle
): Read {
  const found = field.choices.find(each => JSON.stringify(each) === text);
  return found === undefined
    ? problem(trans.__('Choose one of the values.'))
    : { kind: 'value', value: found };
}

function readJson(text: string, trans: TranslationBundle): Read {
  try {
    return { kind: 'value', value: JSON.parse(text) as Json };
  } catch {
    return problem(
      trans.__('Enter it as JSON, such as 3, true, "text", [1, 2] or {"a": 1}.')
    );
  }
}

function problem(message: string): Read {
  return { kind: 'problem', message };
}

function kindOf(
  parameter: Parameter,
  type: string,
  nullable: boolean
): FieldKind {
  if (parameter.choices.length > 0) {
    return 'choice';
  }
  const known = KINDS[parameter.base || type];
  const kind =
    known ?? (typeof parameter.default === 'string' ? 'text' : 'json');
  // A box is ticked or not: a flag that may also be None, or has no known default, is written out.
  return kind === 'flag' && (nullable || !parameter.has_default)
    ? 'json'
    : kind;
}

function initialOf(parameter: Parameter, kind: FieldKind): FieldValue {
  const value = parameter.default;
  if (!parameter.has_default || (value === null && kind !== 'choice')) {
    return '';
  }
  if (kind === 'choice') {
    return JSON.stringify(value);
  }
  if (kind === 'flag') {
    return value === true;
  }
  return typeof value === 'string' && kind !== 'json'
    ? value
    : JSON.stringify(value);
}

/** The type without Optional[...] or "| None". */
function bareType(type: string): { type: string; optional: boolean } {
  const wrapped = /^(?:typing\.)?Optional\[(.+)\]$/.exec(type.trim());
  if (wrapped) {
    return { type: wrapped[1].trim(), optional: true };
  }
  const parts = type.split('|').map(part => part.trim());
  const rest = parts.filter(part => part !== 'None');
  return { type: rest.join(' | '), optional: rest.length < parts.length };
}
