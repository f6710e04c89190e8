// One step: its state in a sign and a word, why, how long it took, what it needs. A click jumps to its cell.
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { formatDuration, formatRelative } from '../../framework/format';
import { stateIcons } from '../../framework/icons';
import { Mark } from '../../framework/parts/Mark';
import { ValuesLine } from '../../framework/parts/Values';
import { shownMetrics } from '../../framework/parts/named';
import { restoredText, stateLabel } from '../../framework/words';
import type { StepStatus } from '../../framework/wire';

export interface StepRowProps {
  trans: TranslationBundle;
  step: StepStatus;
  /** What the steps that it takes from are known by. */
  upstream: ReadonlyArray<string>;
  now: Date;
  /** Whether its cell is the active one. */
  active: boolean;
  onJump: (step: StepStatus) => void;
}

/** What people know a step by: its name, or the first line of code of a cell that has none. */
export function labelOf(step: StepStatus): string {
  return step.label || step.name;
}

/** That a step never ran needs no reason, but why it always runs; of one that holds it is told how its result came. */
function reasonOf(step: StepStatus, trans: TranslationBundle): string {
  return step.state === 'never_run' && !step.always
    ? ''
    : step.reason || restoredText(step, trans);
}

export function StepRow(props: StepRowProps): React.ReactElement {
  const { trans, step } = props;
  const label = stateLabel(step.state, trans);
  const metrics = shownMetrics(step);
  return (
    <li className="jp-mlops-row jp-mlops-step" data-state={step.state}>
      <button
        type="button"
        className={`jp-mlops-row-button${props.active ? ' jp-mod-active' : ''}`}
        title={tooltip(props, label)}
        aria-current={props.active ? 'location' : undefined}
        aria-label={trans.__(
          'Step %1, %2. Jump to its cell.',
          labelOf(step),
          label
        )}
        onClick={() => props.onJump(step)}
      >
        <Mark icon={stateIcons[step.state]} state={step.state} />
        <span className="jp-mlops-row-main">
          <span className="jp-mlops-line">
            <span className={step.named ? 'jp-mlops-name' : 'jp-mlops-code'}>
              {labelOf(step)}
            </span>
            {props.upstream.length > 0 && (
              <span className="jp-mlops-upstream jp-mlops-dim">
                {'← '}
                {props.upstream.join(', ')}
              </span>
            )}
            <span className="jp-mlops-figure">{figureOf(step, trans)}</span>
          </span>
          <span className="jp-mlops-line jp-mlops-dim">
            <span className="jp-mlops-state">{label}</span>
            {reasonOf(step, trans) && (
              <span className="jp-mlops-reason">{reasonOf(step, trans)}</span>
            )}
            {step.version !== null && (
              <span className="jp-mlops-figure">
                {trans.__('v%1', step.version)}
              </span>
            )}
          </span>
          {metrics.values.length > 0 && (
            <ValuesLine trans={trans} {...metrics} limit={3} />
          )}
        </span>
      </button>
    </li>
  );
}

/** How long it took; of what was reused, what computing it took, unless that is told at length below. */
function figureOf(step: StepStatus, trans: TranslationBundle): string {
  if (step.duration === null) {
    return '';
  }
  if (step.computed === null) {
    return formatDuration(step.duration);
  }
  return step.reason === ''
    ? ''
    : trans.__('ran %1', formatDuration(step.computed));
}

function tooltip(props: StepRowProps, label: string): string {
  const { trans, step, now } = props;
  const lines = [
    reasonOf(step, trans)
      ? trans.__('%1: %2', label, reasonOf(step, trans))
      : label,
    props.upstream.length > 0
      ? trans.__('Needs: %1', props.upstream.join(', '))
      : '',
    step.ended_at === null
      ? ''
      : trans.__('Last run %1', formatRelative(step.ended_at, now, trans)),
    step.reason === '' ? '' : restoredText(step, trans),
    step.run_number === null ? '' : trans.__('Seen in run #%1', step.run_number)
  ];
  return lines.filter(line => line !== '').join('\n');
}
