// The bridge from the pipelines to the panel: the section of steps, and the form that marks a cell.
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import { isGeneral } from '../framework/api/errors';
import { Section } from '../framework/panel/section';
import { Button } from '../framework/parts/Button';
import { Empty } from '../framework/parts/Empty';
import { Notice } from '../framework/parts/Notice';
import { CommandIDs, LOAD_EXTENSION } from './commands';
import { MarkFormView } from './components/MarkForm';
import { StepList } from './components/StepList';
import type { MarkForm } from './markForm';
import { STEP_MAGIC } from './name';
import type { Pipeline } from './pipeline';
import type { IPipelines } from './tokens';

export class StepsSection extends Section {
  constructor(
    private readonly _pipelines: IPipelines,
    private readonly _commands: CommandRegistry,
    private readonly _trans: TranslationBundle
  ) {
    super('jupyter-mlops-steps', _trans.__('Steps'));
    this.follow(_pipelines.changed);
    this.follow(_commands.commandChanged);
  }

  protected override draw(): React.ReactElement {
    const trans = this._trans;
    const pipeline = this._pipelines.current;
    if (pipeline === null) {
      return (
        <Empty text={trans.__('Open a notebook to see its steps here.')}>
          {this._button(trans.__('New notebook'), 'notebook:create-new')}
        </Empty>
      );
    }
    const { foreign, status, error } = pipeline.state;
    if (foreign !== null) {
      return (
        <Empty
          text={trans.__(
            'Steps need a Python kernel; this notebook uses %1.',
            foreign
          )}
          hint={trans.__(
            'Choose a Python kernel for it, or open another notebook.'
          )}
        >
          {this._button(trans.__('Change kernel'), 'notebook:change-kernel')}
        </Empty>
      );
    }
    if (error !== null && !isGeneral(error)) {
      return <Notice kind="error" message={error.message} hint={error.hint} />;
    }
    if (status === null) {
      return error === null
        ? this._loading()
        : this._dim(trans.__('Not available.'));
    }
    return this._steps(pipeline);
  }

  private _loading(): React.ReactElement {
    return this._dim(this._trans.__('Loading…'));
  }

  private _dim(text: string): React.ReactElement {
    return <div className="jp-mlops-empty jp-mlops-dim">{text}</div>;
  }

  /** For a notebook that a run left behind: which run, and the way to the notebook that was run. */
  private _leftBehind(pipeline: Pipeline): React.ReactElement | null {
    const trans = this._trans;
    const { run_number: run, source, in_view } = pipeline.state.status ?? {};
    if (run === null || run === undefined) {
      return null;
    }
    const open = 'docmanager:open';
    return (
      <Notice
        kind="info"
        message={trans.__('This notebook was written by run %1.', run)}
        hint={
          in_view === 'run'
            ? trans.__('Its steps are shown as they ended in that run.')
            : trans.__('Its steps are shown as they are in its kernel.')
        }
      >
        {source && this._commands.hasCommand(open) && (
          <Button
            label={trans.__('Open the original')}
            title={source}
            onClick={() => void this._commands.execute(open, { path: source })}
          />
        )}
      </Notice>
    );
  }

  private _steps(pipeline: Pipeline): React.ReactElement {
    const trans = this._trans;
    const { problems = [] } = pipeline.state.status ?? {};
    const steps = pipeline.shown;
    const isEmpty = steps.length === 0;
    if (pipeline.isBehind && problems.length === 0) {
      return this._loading();
    }
    return (
      <>
        {this._leftBehind(pipeline)}
        {(!isEmpty || problems.length > 0) && (
          <StepList
            trans={trans}
            steps={steps}
            problems={problems}
            activeCellId={pipeline.notebook.activeCell?.id ?? null}
            unnamed={pipeline.steps.filter(step => !step.named).length}
            showsUnnamed={pipeline.showsUnnamed}
            onToggleUnnamed={() => pipeline.toggleUnnamed()}
            now={new Date()}
            onJump={cellId =>
              void this._commands.execute(CommandIDs.jumpToStep, { cellId })
            }
          />
        )}
        {isEmpty && problems.length === 0 && (
          <Empty
            text={trans.__('This notebook has no steps yet.')}
            hint={trans.__(
              'Mark the selected cell, or write "%1 NAME" on the first line of a cell.',
              STEP_MAGIC
            )}
          >
            {this._button(trans.__('Mark cell as step'), CommandIDs.markStep)}
          </Empty>
        )}
        {!isEmpty && !pipeline.loadsExtension && !isLeftBehind(pipeline) && (
          <Notice
            kind="info"
            message={trans.__('No cell runs %1.', LOAD_EXTENSION)}
            hint={trans.__(
              'Steps are recorded in jobs, but not when you run cells here.'
            )}
          >
            {this._button(
              trans.__('Add it at the top'),
              CommandIDs.loadExtension
            )}
          </Notice>
        )}
      </>
    );
  }

  private _button(label: string, command: string): React.ReactElement | null {
    return this._commands.hasCommand(command) ? (
      <Button
        label={label}
        disabled={!this._commands.isEnabled(command)}
        onClick={() => void this._commands.execute(command)}
      />
    ) : null;
  }
}

function isLeftBehind(pipeline: Pipeline): boolean {
  return (pipeline.state.status?.run_number ?? null) !== null;
}

export class MarkFormSection extends Section {
  constructor(
    private readonly _form: MarkForm,
    private readonly _commands: CommandRegistry,
    private readonly _trans: TranslationBundle
  ) {
    super('jupyter-mlops-mark-form', _trans.__('Mark cell as step'));
    this.follow(_form.changed);
    this.hide();
  }

  protected override onModelChanged(): void {
    this.setHidden(this._form.state === null);
    super.onModelChanged();
  }

  protected override draw(): React.ReactElement | null {
    const form = this._form;
    const state = form.state;
    const mark = (args: { name: string } | { remove: true }): void => {
      const cellId = state?.cell.id ?? '';
      void this._commands.execute(CommandIDs.markStep, { ...args, cellId });
    };
    return state === null ? null : (
      <MarkFormView
        key={state.cell.id}
        trans={this._trans}
        state={state}
        onName={name => form.setName(name)}
        onSubmit={() => mark({ name: state.name.trim() })}
        onRemove={() => mark({ remove: true })}
        onClose={() => form.close()}
      />
    );
  }
}
