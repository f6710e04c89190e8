// The bridge from the runs to the panel: the section of runs, and the form that starts a job.
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import { isGeneral } from '../framework/api/errors';
import type { IPathSource } from '../framework/notebook/currentPath';
import { Section } from '../framework/panel/section';
import { Button } from '../framework/parts/Button';
import { Empty } from '../framework/parts/Empty';
import { Notice } from '../framework/parts/Notice';
import { CommandIDs } from './commands';
import { JobFormView } from './components/JobForm';
import { RunList } from './components/RunList';
import type { JobForm } from './jobForm';
import type { Runs } from './model';

export class RunsSection extends Section {
  constructor(
    private readonly _runs: Runs,
    private readonly _commands: CommandRegistry,
    private readonly _trans: TranslationBundle
  ) {
    super('jupyter-mlops-runs', _trans.__('Runs'));
    this.follow(_runs.changed);
    this.follow(_commands.commandChanged);
  }

  protected override isTicking(): boolean {
    return this._runs.isActive;
  }

  protected override draw(): React.ReactElement {
    const trans = this._trans;
    const { runs, error } = this._runs;
    if (error !== null && !isGeneral(error)) {
      return <Notice kind="error" message={error.message} hint={error.hint} />;
    }
    if (runs === null) {
      return (
        <div className="jp-mlops-empty jp-mlops-dim">
          {error === null ? trans.__('Loading…') : trans.__('Not available.')}
        </div>
      );
    }
    return runs.length === 0 ? this._empty() : this._list();
  }

  private _list(): React.ReactElement {
    const execute = (command: string) => (id: string) =>
      void this._commands.execute(command, { id });
    return (
      <RunList
        trans={this._trans}
        runs={this._runs.runs ?? []}
        now={new Date()}
        isOpen={id => this._runs.isOpen(id)}
        detail={id => this._runs.detail(id)}
        isResuming={id => this._runs.isResuming(id)}
        wholeUrl={id => this._runs.wholeUrl(id)}
        onToggle={id => this._runs.toggle(id)}
        onCancel={execute(CommandIDs.cancelRun)}
        onResume={execute(CommandIDs.resumeRun)}
        onResumeWithEdit={id =>
          void this._commands.execute(CommandIDs.resumeRun, {
            id,
            withEdit: true
          })
        }
        onOpenRun={execute(CommandIDs.openRun)}
        onOpenOutput={execute(CommandIDs.openOutput)}
        onShowOlder={
          this._runs.hasOlder ? () => void this._runs.showOlder() : null
        }
      />
    );
  }

  private _empty(): React.ReactElement {
    const trans = this._trans;
    const canRun = this._commands.isEnabled(CommandIDs.runJob);
    return canRun ? (
      <Empty
        text={trans.__('No runs yet in this project.')}
        hint={trans.__(
          'Run the open notebook as a job; the results of its steps are stored and reused.'
        )}
      >
        <Button
          label={trans.__('Run as job')}
          onClick={() => void this._commands.execute(CommandIDs.runJob)}
        />
      </Empty>
    ) : (
      <Empty
        text={trans.__('No runs yet in this project.')}
        hint={trans.__(
          'Open a notebook and run it as a job, or in a terminal:'
        )}
        command="jupyter mlops run NOTEBOOK"
      />
    );
  }
}

export class JobFormSection extends Section {
  constructor(
    private readonly _form: JobForm,
    private readonly _source: IPathSource,
    private readonly _commands: CommandRegistry,
    private readonly _trans: TranslationBundle
  ) {
    super('jupyter-mlops-job-form', _trans.__('Run as job'));
    this.follow(_form.changed);
    this.follow(_source.pathChanged);
    this.hide();
  }

  protected override onModelChanged(): void {
    const wasHidden = this.isHidden;
    // It waits, with what was typed, while another notebook is looked at.
    const path = this._form.state?.path;
    this.setHidden(path === undefined || path !== this._source.path);
    if (wasHidden && !this.isHidden) {
      this._focus = true;
    }
    super.onModelChanged();
  }

  protected override draw(): React.ReactElement | null {
    const form = this._form;
    if (form.state === null) {
      return null;
    }
    const focus = this._focus;
    this._focus = false;
    return (
      <div ref={node => focus && node?.querySelector('input')?.focus()}>
        <JobFormView
          trans={this._trans}
          state={form.state}
          onChange={(name, value) => form.setValue(name, value)}
          onSubmit={() => this._submit()}
          onClose={() => form.close()}
        />
      </div>
    );
  }

  private _submit(): void {
    const path = this._form.state?.path ?? '';
    const parameters = this._form.read();
    if (parameters !== null) {
      void this._commands.execute(CommandIDs.runJob, { path, parameters });
    }
  }

  private _focus = false;
}
