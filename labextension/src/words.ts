// The words for states and statuses, one place for the panel and the badges.
import type { TranslationBundle } from '@jupyterlab/translation';
import type { StepState, Status } from './wire';

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
    case 'never_run':
      return trans.__('Never run');
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
