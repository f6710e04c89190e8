// The schedules of a project: what runs when, and whether anything is there to run it.
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import {
  formatDuration,
  formatRelative,
  formatTime
} from '../../framework/format';
import {
  clockIcon,
  pauseIcon,
  removeIcon,
  resumeIcon,
  runJobIcon
} from '../../framework/icons';
import { Button, IconButton } from '../../framework/parts/Button';
import { Mark } from '../../framework/parts/Mark';
import { Notice } from '../../framework/parts/Notice';
import { ValuesLine } from '../../framework/parts/Values';
import { shownParameters } from '../../framework/parts/named';
import type { Fire, SchedulerStatus, ScheduleView } from '../../framework/wire';

export interface ScheduleListProps {
  trans: TranslationBundle;
  schedules: ReadonlyArray<ScheduleView>;
  scheduler: SchedulerStatus;
  now: Date;
  /** Whether something asked of a schedule, or of the scheduler (0), is not answered yet. */
  isBusy: (number: number) => boolean;
  onPause: (number: number) => void;
  onResume: (number: number) => void;
  onRemove: (number: number) => void;
  onRunNow: (number: number) => void;
  onStartScheduler: () => void;
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
          hint={trans.__(
            'It runs in the background, without a browser or Jupyter, until you log out or stop it.'
          )}
        >
          <Button
            label={trans.__('Start the scheduler')}
            title={trans.__(
              'As in a terminal: jupyter mlops scheduler --detach'
            )}
            disabled={props.isBusy(0)}
            onClick={props.onStartScheduler}
          />
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
  const last = schedule.last_fire;
  const next = schedule.fires_next[0] ?? null;
  const { timezone } = schedule.timing;
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
            <code className="jp-mlops-cron">{when(schedule, trans)}</code>
            {schedule.trigger === null && (
              <span className="jp-mlops-reason">{timezone}</span>
            )}
          </span>
          <span className="jp-mlops-line jp-mlops-schedule-next">
            <span className="jp-mlops-reason jp-mlops-dim">
              {nextLine(schedule, next, props)}
            </span>
            <ScheduleButtons {...props} />
          </span>
          {schedule.notebook_changed && (
            <span
              className="jp-mlops-line jp-mlops-dim"
              title={trans.__(
                'It runs the notebook as it was when it was scheduled. To take it as it is now, in a terminal: jupyter mlops schedule edit %1 --pin',
                schedule.number
              )}
            >
              {trans.__('Pinned; the notebook has changed since')}
            </span>
          )}
          {parameters.values.length > 0 && (
            <ValuesLine trans={trans} {...parameters} limit={3} />
          )}
          {last !== null && <LastFire {...props} last={last} />}
        </span>
      </div>
    </li>
  );
}

function LastFire(
  props: ScheduleListProps & { last: Fire }
): React.ReactElement {
  const { trans, now, last } = props;
  return (
    <span className="jp-mlops-line jp-mlops-dim" title={last.note || undefined}>
      <span className="jp-mlops-reason">
        {trans.__(
          'Last: %1, %2',
          formatRelative(last.fire_at, now, trans),
          fireLabel(last.status, trans)
        )}
      </span>
    </span>
  );
}

function ScheduleButtons(
  props: ScheduleListProps & { schedule: ScheduleView }
): React.ReactElement {
  const { trans, schedule } = props;
  const { number } = schedule;
  const disabled = props.isBusy(number);
  const isPaused = schedule.paused_at !== null;
  return (
    <span className="jp-mlops-schedule-buttons">
      <IconButton
        label={trans.__('Run schedule %1 now', number)}
        icon={runJobIcon}
        disabled={disabled}
        onClick={() => props.onRunNow(number)}
      />
      <IconButton
        label={
          isPaused
            ? trans.__('Resume schedule %1', number)
            : trans.__('Pause schedule %1', number)
        }
        icon={isPaused ? resumeIcon : pauseIcon}
        disabled={disabled}
        onClick={() =>
          isPaused ? props.onResume(number) : props.onPause(number)
        }
      />
      <IconButton
        label={trans.__('Remove schedule %1', number)}
        icon={removeIcon}
        disabled={disabled}
        onClick={() => props.onRemove(number)}
      />
    </span>
  );
}

function when(
  schedule: ScheduleView,
  trans: ScheduleListProps['trans']
): string {
  const { cron, every } = schedule.timing;
  const { trigger } = schedule;
  if (trigger !== null) {
    return {
      file: trans.__('file %1', trigger.pattern),
      run: trans.__('after schedule %1', trigger.schedule_number),
      rows: trigger.query
    }[trigger.kind];
  }
  return every === null ? cron : trans.__('every %1', formatDuration(every));
}

function nextLine(
  schedule: ScheduleView,
  next: string | null,
  { trans, now }: ScheduleListProps
): string {
  if (schedule.paused_at !== null) {
    return trans.__(
      'Paused %1',
      formatRelative(schedule.paused_at, now, trans)
    );
  }
  if (schedule.trigger !== null) {
    return schedule.trouble === ''
      ? trans.__('Waits')
      : trans.__('Cannot look: %1', schedule.trouble);
  }
  return next === null
    ? trans.__('Fires no more: its end has passed')
    : trans.__('Next: %1', formatTime(next, now, schedule.timing.timezone));
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
