// The commands on steps: mark a cell, jump to a step, load the extension. The panel and the menus only execute these.
import { InputDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { DisposableSet } from '@lumino/disposable';
import type { IDisposable } from '@lumino/disposable';
import { markIcon } from '../framework/icons';
import type { Cell } from '../framework/wire';
import { suggestedName } from './markForm';
import type { MarkForm } from './markForm';
import { problemOfName, stepMarkOf, withStepTag } from './name';
import type { Pipeline } from './pipeline';
import type { IPipelines } from './tokens';

export namespace CommandIDs {
  export const markStep = 'jupyter-mlops:mark-step';
  export const jumpToStep = 'jupyter-mlops:jump-to-step';
  export const loadExtension = 'jupyter-mlops:load-extension';
}

/** The line that makes a kernel record steps. */
export const LOAD_EXTENSION = '%load_ext jupyter_mlops';

export interface StepCommandOptions {
  commands: CommandRegistry;
  pipelines: IPipelines;
  form: MarkForm;
  trans: TranslationBundle;
  /** Shows the panel, in which the form stands; null where there is no panel: then a dialog asks. */
  reveal: (() => void) | null;
}

export function addStepCommands(options: StepCommandOptions): IDisposable {
  return DisposableSet.from([
    addMarkStep(options),
    addJumpToStep(options),
    addLoadExtension(options)
  ]);
}

function addMarkStep(options: StepCommandOptions): IDisposable {
  const { commands, pipelines, trans } = options;
  const mark = () => markOfActive(pipelines.current);
  return commands.addCommand(CommandIDs.markStep, {
    label: () =>
      mark() ? trans.__('Change step') : trans.__('Mark cell as step'),
    caption: () => captionOfMark(pipelines.current, trans),
    icon: markIcon,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          name: {
            type: 'string',
            description: 'Name of the step; without it a form asks for it'
          },
          remove: { type: 'boolean', description: 'Take the mark away' },
          cellId: {
            type: 'string',
            description: 'The cell; without it the active one'
          }
        }
      }
    },
    isEnabled: () =>
      pipelines.current?.state.foreign === null &&
      pipelines.current.notebook.activeCell?.kind === 'code',
    execute: args => markStep(options, args)
  });
}

/** Sets or takes away the tag. Without a name it opens the form; a name that cannot be is said in the form. */
async function markStep(
  options: StepCommandOptions,
  args: ReadonlyPartialJSONObject
): Promise<void> {
  const { form, pipelines, trans } = options;
  const pipeline = pipelines.current;
  const cell = pipeline && cellOf(pipeline, args['cellId']);
  if (!pipeline || !cell) {
    form.close();
    return;
  }
  const name = args['remove'] === true ? null : args['name'];
  if (name !== null && typeof name !== 'string') {
    await askForName(options, cell);
    return;
  }
  const problem =
    name === null
      ? null
      : problemOfName(name, pipeline.namesBeside(cell.id), trans);
  if (problem !== null) {
    await askForName(options, cell, problem);
    return;
  }
  pipeline.notebook.setTags(cell.id, withStepTag(cell.tags, name));
  form.close();
  await pipeline.refresh();
}

async function askForName(
  options: StepCommandOptions,
  cell: Cell,
  problem: string | null = null
): Promise<void> {
  const { commands, form, reveal, trans } = options;
  if (reveal) {
    if (form.state?.cell.id !== cell.id || problem === null) {
      form.open(cell);
    }
    form.setProblem(problem);
    reveal();
    return;
  }
  const answer = await InputDialog.getText({
    title: trans.__('Name of the step'),
    label: problem ?? undefined,
    text: stepMarkOf(cell)?.name ?? suggestedName(cell.source)
  });
  if (answer.button.accept && answer.value) {
    const args = { name: answer.value.trim(), cellId: cell.id };
    await commands.execute(CommandIDs.markStep, args);
  }
}

function addJumpToStep(options: StepCommandOptions): IDisposable {
  const { commands, pipelines, trans } = options;
  return commands.addCommand(CommandIDs.jumpToStep, {
    label: trans.__('Jump to step…'),
    caption: trans.__('Shows the cell of a step'),
    describedBy: {
      args: {
        type: 'object',
        properties: {
          name: {
            type: 'string',
            description: 'Name of the step; without it a dialog asks for it'
          },
          cellId: {
            type: 'string',
            description: 'The cell, in place of a name'
          }
        }
      }
    },
    isEnabled: () => (pipelines.current?.steps.length ?? 0) > 0,
    execute: async args => {
      const pipeline = pipelines.current;
      if (!pipeline) {
        return;
      }
      const cellId = args['cellId'];
      const name =
        typeof cellId === 'string'
          ? null
          : typeof args['name'] === 'string'
            ? args['name']
            : await askForStep(pipeline, trans);
      const target =
        typeof cellId === 'string'
          ? cellId
          : pipeline.steps.find(step => step.name === name)?.cell_id;
      if (target !== undefined) {
        await pipeline.notebook.reveal(target);
      }
    }
  });
}

function addLoadExtension(options: StepCommandOptions): IDisposable {
  const { commands, pipelines, trans } = options;
  return commands.addCommand(CommandIDs.loadExtension, {
    label: trans.__('Add %1', LOAD_EXTENSION),
    caption: trans.__(
      'Adds a first cell that loads jupyter_mlops in the kernel'
    ),
    describedBy: { args: { type: 'object', properties: {} } },
    isEnabled: () =>
      pipelines.current?.state.foreign === null &&
      !pipelines.current.loadsExtension,
    execute: () => pipelines.current?.notebook.insertOnTop(LOAD_EXTENSION)
  });
}

async function askForStep(
  pipeline: Pipeline,
  trans: TranslationBundle
): Promise<string | null> {
  const answer = await InputDialog.getItem({
    title: trans.__('Jump to step'),
    items: pipeline.shown.map(step => step.name)
  });
  return answer.button.accept ? answer.value : null;
}

function cellOf(pipeline: Pipeline, cellId: unknown): Cell | null {
  const { notebook } = pipeline;
  const cell =
    typeof cellId === 'string'
      ? notebook.cells().find(each => each.id === cellId)
      : notebook.activeCell;
  return cell?.kind === 'code' ? cell : null;
}

function markOfActive(pipeline: Pipeline | null): string | null {
  const cell = pipeline?.notebook.activeCell;
  return cell ? (stepMarkOf(cell)?.name ?? null) : null;
}

function captionOfMark(
  pipeline: Pipeline | null,
  trans: TranslationBundle
): string {
  if (pipeline === null) {
    return trans.__('Open a notebook first');
  }
  if (pipeline.state.foreign !== null) {
    return trans.__('Steps need a Python kernel');
  }
  if (pipeline.notebook.activeCell?.kind !== 'code') {
    return trans.__('Select a code cell first');
  }
  const name = markOfActive(pipeline);
  return name === null
    ? trans.__('Names the selected cell as a step of the pipeline')
    : trans.__('Renames step "%1" or removes the mark', name);
}
