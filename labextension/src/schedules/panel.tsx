// The bridge from the schedules to the panel.
import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { complain } from '../framework/api/complain';
import { asApiError, isGeneral } from '../framework/api/errors';
import { Section } from '../framework/panel/section';
import { Empty } from '../framework/parts/Empty';
import { Notice } from '../framework/parts/Notice';
import { ScheduleListView } from './components/ScheduleList';
import type { Schedules } from './model';

export class SchedulesSection extends Section {
  constructor(
    private readonly _schedules: Schedules,
    private readonly _trans: TranslationBundle
  ) {
    super('jupyter-mlops-schedules', _trans.__('Schedules'));
    this.follow(_schedules.changed);
  }

  protected override draw(): React.ReactElement {
    const trans = this._trans;
    const { list, error } = this._schedules;
    if (error !== null && !isGeneral(error)) {
      return <Notice kind="error" message={error.message} hint={error.hint} />;
    }
    if (list === null) {
      return (
        <div className="jp-mlops-empty jp-mlops-dim">
          {error === null ? trans.__('Loading…') : trans.__('Not available.')}
        </div>
      );
    }
    if (list.schedules.length === 0) {
      return (
        <Empty
          text={trans.__('No schedules yet in this project.')}
          hint={trans.__('Add one in a terminal:')}
          command={'jupyter mlops schedule add NOTEBOOK --cron "0 6 * * *"'}
        />
      );
    }
    return (
      <ScheduleListView
        trans={trans}
        schedules={list.schedules}
        scheduler={list.scheduler}
        now={new Date()}
        isBusy={number => this._schedules.isBusy(number)}
        onPause={number => this._do(this._schedules.steer(number, 'pause'))}
        onResume={number => this._do(this._schedules.steer(number, 'resume'))}
        onRemove={number => this._do(this._remove(number))}
        onRunNow={number => this._do(this._runNow(number))}
        onStartScheduler={() => this._do(this._schedules.startScheduler())}
      />
    );
  }

  private async _remove(number: number): Promise<void> {
    const trans = this._trans;
    const answer = await showDialog({
      title: trans.__('Remove schedule %1?', number),
      body: trans.__('It fires no more. The runs it made stay.'),
      buttons: [
        Dialog.cancelButton(),
        Dialog.warnButton({ label: trans.__('Remove') })
      ]
    });
    if (answer.button.accept) {
      await this._schedules.steer(number, 'remove');
    }
  }

  private async _runNow(number: number): Promise<void> {
    const run = await this._schedules.runNow(number);
    Notification.success(
      this._trans.__('Run %1 of %2 is in the queue.', run.number, run.notebook),
      { autoClose: 4000 }
    );
  }

  private _do(action: Promise<void>): void {
    action.catch((error: unknown) => complain(asApiError(error)));
  }
}
