// What makes a cell a step, as jupyter_mlops reads it: a `%%step NAME` line on top, or the tag `step:NAME`.
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Cell } from '../framework/wire';

export const STEP_TAG = 'step:';
export const STEP_MAGIC = '%%step';

// Python's [^\W\d][\w-]*: its \w knows all scripts, JavaScript's does not.
const NAME = /^[\p{L}\p{Nl}\p{No}_][\p{L}\p{N}_-]*$/u;
const MAGIC = /^%%step(?=\s|$)/;
const VALUED = new Set(['--metrics', '--model']);

export interface StepMark {
  name: string;
  /** How the cell is marked: only a tag can be changed from outside of the source. */
  by: 'magic' | 'tag';
}

/** The mark of a cell that is a step, or null. */
export function stepMarkOf(cell: Cell): StepMark | null {
  if (cell.kind !== 'code') {
    return null;
  }
  const magic = nameInMagic(cell.source);
  if (magic !== null) {
    return { name: magic, by: 'magic' };
  }
  const tag = cell.tags.find(each => each.startsWith(STEP_TAG));
  return tag === undefined
    ? null
    : { name: tag.slice(STEP_TAG.length), by: 'tag' };
}

/** What is wrong with `name` for a step beside the `others`, or null where nothing is. */
export function problemOfName(
  name: string,
  others: ReadonlyArray<string>,
  trans: TranslationBundle
): string | null {
  if (name === '') {
    return trans.__('Give the step a name.');
  }
  if (!NAME.test(name)) {
    return trans.__(
      'Use one word of letters, digits, "_" and "-" that starts with a letter, such as train or clean_data.'
    );
  }
  return others.includes(name)
    ? trans.__(
        'Another cell is step "%1": step names must be unique in a notebook.',
        name
      )
    : null;
}

/** The tags of a cell with its step tag set to `name`, or taken away where that is null. */
export function withStepTag(
  tags: ReadonlyArray<string>,
  name: string | null
): string[] {
  const rest = tags.filter(tag => !tag.startsWith(STEP_TAG));
  return name === null ? rest : [...rest, STEP_TAG + name];
}

function nameInMagic(source: string): string | null {
  const first = source.split('\n').find(line => line.trim() !== '');
  if (first === undefined || !MAGIC.test(first)) {
    return null;
  }
  const words = first.trim().split(/\s+/).slice(1);
  for (let at = 0; at < words.length; at++) {
    if (VALUED.has(words[at])) {
      at++;
    } else if (!words[at].startsWith('-')) {
      return words[at];
    }
  }
  return '';
}
