// All of an unfolded run: its parameters, its metrics, its steps.
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { formatDuration, formatTime } from '../../framework/format';
import { statusIcons } from '../../framework/icons';
import { Mark } from '../../framework/parts/Mark';
import { ValuesTable } from '../../framework/parts/Values';
import {
  counted,
  leftLine,
  shownMetrics,
  shownParameters
} from '../../framework/parts/named';
import type { Named } from '../../framework/parts/named';
import { statusLabel } from '../../framework/words';
import type { Run, RunDetail, ListedStepRun } from '../../framework/wire';

export interface RunDetailsProps {
  trans: TranslationBundle;
  run: Run;
  /** Null until it has come. */
  detail: RunDetail | null;
  /** Where all of it can be had. */
  wholeUrl: string;
  now: Date;
}

export function RunDetails(props: RunDetailsProps): React.ReactElement {
  const { trans, run, detail } = props;
  const parameters = shownParameters(detail ?? run, trans);
  const metrics = shownMetrics(detail ?? run);
  return (
    <div className="jp-mlops-details">
      {parameters.values.length > 0 && (
        <ValuesTable
          title={trans.__('Parameters')}
          values={parameters.values}
          more={leftLine(parameters.left, trans)}
        />
      )}
      {metrics.values.length > 0 && (
        <ValuesTable
          title={trans.__('Metrics')}
          values={metrics.values}
          more={leftLine(metrics.left, trans)}
        />
      )}
      {detail === null ? (
        <div className="jp-mlops-dim">{trans.__('Loading…')}</div>
      ) : (
        detail.step_runs.length > 0 && (
          <StepRuns trans={trans} detail={detail} />
        )
      )}
      {detail !== null && isCut(detail) && (
        <div className="jp-mlops-dim">
          {trans.__('Not all of this run is shown.')}{' '}
          <a href={props.wholeUrl} target="_blank" rel="noreferrer">
            {trans.__('All of it as JSON')}
          </a>
        </div>
      )}
      <ValuesTable title={trans.__('Run')} values={facts(props)} />
    </div>
  );
}

/** Whether something of a run, or of its steps, is not here. */
function isCut(detail: RunDetail): boolean {
  return [detail, ...detail.step_runs].some(
    each => Object.keys(each.left_out).length > 0
  );
}

function StepRuns(props: {
  trans: TranslationBundle;
  detail: RunDetail;
}): React.ReactElement {
  const { trans, detail } = props;
  const before = detail.left_out.step_runs?.items ?? 0;
  return (
    <table className="jp-mlops-table jp-mlops-stepRuns">
      <caption>{trans.__('Steps')}</caption>
      <tbody>
        {before > 0 && (
          <tr>
            <td colSpan={3} className="jp-mlops-dim">
              {trans.__('%1 before these', counted(before))}
            </td>
          </tr>
        )}
        {detail.step_runs.map(step => (
          <tr key={step.id} title={titleOf(step)}>
            <th scope="row">
              <Mark icon={statusIcons[step.status]} state={step.status} />
              {step.label}
            </th>
            <td>{statusLabel(step.status, trans)}</td>
            <td className="jp-mlops-number">{durationOf(step, trans)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The step's name, where a line of its code stands for it, and why it ran or failed. */
function titleOf(step: ListedStepRun): string {
  const told = step.error || step.why || step.unrepeatable;
  return step.label === step.step ? told : `${step.step}\n${told}`.trim();
}

function durationOf(step: ListedStepRun, trans: TranslationBundle): string {
  if (step.duration === null) {
    return '';
  }
  const took = formatDuration(step.duration);
  if (step.status !== 'reused') {
    return took;
  }
  return step.computed === null
    ? trans.__('restored in %1', took)
    : trans.__('restored in %1 (ran %2)', took, formatDuration(step.computed));
}

function facts(props: RunDetailsProps): Named[] {
  const { trans, run, now } = props;
  const kinds: { [kind: string]: string } = {
    job: trans.__('job'),
    session: trans.__('live notebook'),
    schedule: trans.__('schedule')
  };
  const all: Array<Named | null> = [
    [trans.__('Kind'), kinds[run.kind] ?? run.kind],
    run.started_at === null
      ? null
      : [trans.__('Started'), formatTime(run.started_at, now)],
    run.ended_at === null
      ? null
      : [trans.__('Ended'), formatTime(run.ended_at, now)],
    run.output_path === null ? null : [trans.__('Output'), run.output_path],
    run.mlflow_run_id === null
      ? null
      : [trans.__('MLflow run'), run.mlflow_run_id]
  ];
  return all.filter((fact): fact is Named => fact !== null);
}
