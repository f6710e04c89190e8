// The words for states and statuses, one place for the panel and the badges.
import type { TranslationBundle } from '@jupyterlab/translation';
import { formatDuration } from './format';
import type { StepState, StepStatus, Status } from './wire';

export function stateLabel(state: StepState, trans: TranslationBundle): string {
  switch (state) {
    case 'fresh':
      return trans.__('Fresh');
    case 'stale':
      return trans.__('Stale');
    case 'running':
      return trans.__('Running');
    case 'failed':
      return trans.__('Failed');
    case 'canceled':
      return trans.__('Canceled');
    case 'never_run':
      return trans.__('Never run');
    case 'completed':
      return trans.__('Completed');
    case 'reused':
      return trans.__('Reused');
  }
}

export function statusLabel(status: Status, trans: TranslationBundle): string {
  switch (status) {
    case 'pending':
      return trans.__('Waiting');
    case 'running':
      return trans.__('Running');
    case 'completed':
      return trans.__('Completed');
    case 'failed':
      return trans.__('Failed');
    case 'canceled':
      return trans.__('Canceled');
    case 'lost':
      return trans.__('Lost');
    case 'reused':
      return trans.__('Reused');
  }
}

/** How long what was reused took, now and when it was computed; "" of what was not reused. */
export function restoredText(
  step: StepStatus,
  trans: TranslationBundle
): string {
  return step.duration === null || step.computed === null
    ? ''
    : trans.__(
        'restored in %1 (ran %2)',
        unbroken(formatDuration(step.duration)),
        unbroken(formatDuration(step.computed))
      );
}

/** A number stays in one line with its unit. */
function unbroken(text: string): string {
  return text.replace(/ /g, '\u00a0');
}
