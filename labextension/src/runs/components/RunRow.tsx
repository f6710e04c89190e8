// One run: what came of it at a glance; unfolded, all its parameters, metrics and steps.
import type { TranslationBundle } from '@jupyterlab/translation';
import { caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';
import {
  formatDuration,
  formatRelative,
  formatTime,
  secondsBetween
} from '../../framework/format';
import {
  cancelIcon,
  liveIcon,
  openIcon,
  resumeIcon,
  statusIcons
} from '../../framework/icons';
import { Button, IconButton } from '../../framework/parts/Button';
import { Mark } from '../../framework/parts/Mark';
import { ValuesLine } from '../../framework/parts/Values';
import { shownMetrics } from '../../framework/parts/named';
import type { Shown } from '../../framework/parts/named';
import { statusLabel } from '../../framework/words';
import type { Run, RunDetail } from '../../framework/wire';
import { isActive, isLive, isOpenable } from '../shown';
import { errorHint, errorLine } from '../words';
import { RunDetails } from './RunDetails';
import { RunProgress } from './RunProgress';

export interface RunRowProps {
  trans: TranslationBundle;
  run: Run;
  /** The parameters that tell it from other runs. */
  parameters: Shown;
  /** Null while folded or not yet come. */
  detail: RunDetail | null;
  isOpen: boolean;
  isResumable: boolean;
  /** Whether the server is asked to resume it at this moment. */
  isResuming: boolean;
  /** Where all of it can be had. */
  wholeUrl: string;
  now: Date;
  onToggle: (id: string) => void;
  onCancel: (id: string) => void;
  onResume: (id: string) => void;
  onResumeWithEdit: (id: string) => void;
  onOpenRun: (id: string) => void;
  onOpenOutput: (id: string) => void;
}

export function RunRow(props: RunRowProps): React.ReactElement {
  const { trans, run, isOpen } = props;
  const label = isLive(run) ? trans.__('Live') : statusLabel(run.status, trans);
  return (
    <li
      className="jp-mlops-row jp-mlops-run"
      data-status={run.status}
      data-number={run.number}
      data-resumable={props.isResumable}
    >
      <div className="jp-mlops-run-head">
        <button
          type="button"
          className="jp-mlops-row-button"
          aria-expanded={isOpen}
          aria-label={trans.__('Run %1, %2, details', run.number, label)}
          onClick={() => props.onToggle(run.id)}
        >
          <Mark
            icon={isLive(run) ? liveIcon : statusIcons[run.status]}
            state={isLive(run) ? 'live' : run.status}
          />
          <span className="jp-mlops-row-main">
            <FirstLine {...props} label={label} />
            <OtherLines {...props} />
          </span>
          <caretRightIcon.react
            tag="span"
            className="jp-mlops-icon jp-mlops-caret"
          />
        </button>
        <RunButtons {...props} />
      </div>
      {isActive(run) && <RunProgress trans={trans} run={run} />}
      <RunFault {...props} />
      {isOpen && (
        <RunDetails
          trans={trans}
          run={run}
          detail={props.detail}
          wholeUrl={props.wholeUrl}
          now={props.now}
        />
      )}
    </li>
  );
}

function FirstLine(props: RunRowProps & { label: string }): React.ReactElement {
  const { trans, run, now } = props;
  const time = run.started_at ?? run.created_at;
  return (
    <span className="jp-mlops-line">
      <span className="jp-mlops-name jp-mod-whole">#{run.number}</span>
      <span className="jp-mlops-state">{props.label}</span>
      {time !== null && (
        <span className="jp-mlops-figure" title={formatTime(time, now)}>
          {formatRelative(time, now, trans)}
        </span>
      )}
    </span>
  );
}

function OtherLines(props: RunRowProps): React.ReactElement {
  const { trans, run, now, isOpen, parameters } = props;
  const seconds = isLive(run)
    ? null
    : secondsBetween(run.started_at, run.ended_at, now);
  const metrics = shownMetrics(run);
  return (
    <>
      <span className="jp-mlops-line jp-mlops-dim" title={run.notebook}>
        <span className="jp-mlops-notebook">{run.notebook}</span>
        <span className="jp-mlops-counts">{stepCounts(run, trans)}</span>
        {seconds !== null && (
          <span className="jp-mlops-figure">{formatDuration(seconds)}</span>
        )}
      </span>
      {metrics.values.length > 0 && !isOpen && (
        <ValuesLine trans={trans} {...metrics} limit={3} />
      )}
      {parameters.values.length > 0 && !isOpen && (
        <ValuesLine trans={trans} {...parameters} limit={3} />
      )}
    </>
  );
}

function RunButtons(props: RunRowProps): React.ReactElement {
  const { trans, run } = props;
  return (
    <span className="jp-mlops-run-buttons">
      {isActive(run) && (
        <IconButton
          label={trans.__('Cancel run %1', run.number)}
          icon={cancelIcon}
          onClick={() => props.onCancel(run.id)}
        />
      )}
      {props.isResumable && (
        <IconButton
          label={trans.__('Resume run %1', run.number)}
          icon={resumeIcon}
          title={trans.__(
            'Resume run %1, with the notebook as it was: steps it had finished are not executed again',
            run.number
          )}
          disabled={props.isResuming}
          onClick={() => props.onResume(run.id)}
        />
      )}
      {run.output_path !== null && !isActive(run) && (
        <IconButton
          label={trans.__('Open the output notebook of run %1', run.number)}
          icon={openIcon}
          onClick={() => props.onOpenOutput(run.id)}
        />
      )}
    </span>
  );
}

function RunFault(props: RunRowProps): React.ReactElement | null {
  const { trans, run } = props;
  const line = errorLine(run, trans);
  if (line === '') {
    return null;
  }
  return (
    <div className="jp-mlops-fault">
      <div className="jp-mlops-fault-line" title={line}>
        {line}
      </div>
      <div className="jp-mlops-dim">{errorHint(run, trans)}</div>
      {isOpenable(run) && props.isResumable && (
        <div className="jp-mlops-fault-actions">
          <Button
            label={trans.__('Resume with my edit')}
            title={trans.__(
              'Continues run %1 with the notebook as it is now',
              run.number
            )}
            disabled={props.isResuming}
            onClick={() => props.onResumeWithEdit(run.id)}
          />
          <Button
            label={trans.__('Open at the cell')}
            title={trans.__(
              'Makes a notebook that opens at the cell where run %1 failed, with its variables',
              run.number
            )}
            onClick={() => props.onOpenRun(run.id)}
          />
        </div>
      )}
    </div>
  );
}

function stepCounts(run: Run, trans: TranslationBundle): string {
  const { steps_executed: executed, steps_reused: reused } = run;
  if (executed + reused === 0) {
    return '';
  }
  return reused === 0
    ? trans.__('%1 run', executed)
    : trans.__('%1 run, %2 reused', executed, reused);
}
