// The schedules of a project: what runs when, and whether anything is there to run it.
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { formatRelative, formatTime } from '../../framework/format';
import { clockIcon } from '../../framework/icons';
import { Mark } from '../../framework/parts/Mark';
import { Notice } from '../../framework/parts/Notice';
import { ValuesLine } from '../../framework/parts/Values';
import { shownParameters } from '../../framework/parts/named';
import type { SchedulerStatus, ScheduleView } from '../../framework/wire';

/** The same in every language. */
const COMMAND = 'jupyter mlops scheduler';

export interface ScheduleListProps {
  trans: TranslationBundle;
  schedules: ReadonlyArray<ScheduleView>;
  scheduler: SchedulerStatus;
  now: Date;
}

export function ScheduleListView(props: ScheduleListProps): React.ReactElement {
  const { trans, scheduler } = props;
  return (
    <>
      {scheduler.alive ? (
        <p className="jp-mlops-sentence jp-mlops-dim">{aliveSentence(props)}</p>
      ) : (
        <Notice
          kind="warning"
          message={trans.__(
            'No scheduler is running, so no scheduled runs will start.'
          )}
          hint={trans.__('Start one in a terminal, in the project folder:')}
        >
          <code className="jp-mlops-command">{COMMAND}</code>
        </Notice>
      )}
      <ul className="jp-mlops-list" aria-label={trans.__('Schedules')}>
        {props.schedules.map(schedule => (
          <ScheduleRow key={schedule.id} {...props} schedule={schedule} />
        ))}
      </ul>
    </>
  );
}

function ScheduleRow(
  props: ScheduleListProps & { schedule: ScheduleView }
): React.ReactElement {
  const { trans, schedule, now } = props;
  const { next_fire_at: next, last_fire: last } = schedule;
  const parameters = shownParameters(schedule, trans);
  return (
    <li className="jp-mlops-row jp-mlops-schedule">
      <div className="jp-mlops-row-body">
        <Mark icon={clockIcon} state="schedule" />
        <span className="jp-mlops-row-main">
          <span className="jp-mlops-line">
            <span className="jp-mlops-name">{schedule.notebook}</span>
            {next !== null && (
              <span className="jp-mlops-figure">
                {formatRelative(next, now, trans)}
              </span>
            )}
          </span>
          <span className="jp-mlops-line jp-mlops-dim">
            <code className="jp-mlops-cron">{schedule.cron}</code>
            <span className="jp-mlops-reason">{schedule.timezone}</span>
          </span>
          {next !== null && (
            <span className="jp-mlops-line jp-mlops-dim">
              {trans.__('Next: %1', formatTime(next, now, schedule.timezone))}
            </span>
          )}
          {parameters.values.length > 0 && (
            <ValuesLine trans={trans} {...parameters} limit={3} />
          )}
          {last !== null && (
            <span
              className="jp-mlops-line jp-mlops-dim"
              title={last.note || undefined}
            >
              <span className="jp-mlops-reason">
                {trans.__(
                  'Last: %1, %2',
                  formatRelative(last.fire_at, now, trans),
                  fireLabel(last.status, trans)
                )}
              </span>
            </span>
          )}
        </span>
      </div>
    </li>
  );
}

function aliveSentence(props: ScheduleListProps): string {
  const { trans, scheduler } = props;
  return scheduler.host === null
    ? trans.__('A scheduler is running.')
    : trans.__('A scheduler is running on %1.', scheduler.host);
}

function fireLabel(status: string, trans: ScheduleListProps['trans']): string {
  const labels: { [status: string]: string } = {
    claimed: trans.__('being started'),
    started: trans.__('started'),
    skipped: trans.__('skipped'),
    failed: trans.__('could not be started')
  };
  return labels[status] ?? status;
}
