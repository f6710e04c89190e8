// Values as text, and how much the server left out of them: what is cut never looks as if it were whole.
import type { TranslationBundle } from '@jupyterlab/translation';
import { formatNumber, formatValue } from '../format';
import type { Json, LeftOut, Measured } from '../wire';

/** Name and text of a value. */
export type Named = readonly [name: string, text: string];

/** Values by name, and what is not there of them. */
export interface Shown {
  values: Named[];
  left: LeftOut | null;
}

export type AllLeftOut = { readonly [field: string]: LeftOut };

export function shownMetrics(of: {
  metrics: { [name: string]: Measured };
  left_out: AllLeftOut;
}): Shown {
  return {
    values: Object.entries(of.metrics).map(([name, value]) => [
      name,
      formatNumber(value)
    ]),
    left: of.left_out.metrics ?? null
  };
}

export function shownParameters(
  of: { parameters: { [name: string]: Json }; left_out: AllLeftOut },
  trans: TranslationBundle
): Shown {
  const left = of.left_out.parameters ?? null;
  return {
    values: Object.entries(of.parameters).map(([name, value]) => [
      name,
      left !== null && name in left.texts
        ? trans.__(
            '%1 (%2 characters)',
            formatValue(value),
            counted(left.texts[name])
          )
        : formatValue(value)
    ]),
    left
  };
}

/** What is left out besides the ends of long texts; "" where that is nothing. */
export function leftLine(
  left: LeftOut | null,
  trans: TranslationBundle
): string {
  const parts = [];
  if (left !== null && left.items > 0) {
    parts.push(trans.__('and %1 more', counted(left.items)));
  }
  if (left !== null && left.unread > 0) {
    parts.push(trans.__('and %1 more characters', counted(left.unread)));
  }
  return parts.join(', ');
}

/** A count with its thousands set apart, whatever the reader's language does: 4,900. */
export function counted(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}
