// The bridge from the schedules to the panel.
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { isGeneral } from '../framework/api/errors';
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
      />
    );
  }
}
