// The commands on runs: start a job, cancel or resume a run, open its output. The panel and the menus only execute these.
import type { TranslationBundle } from '@jupyterlab/translation';
import { PathExt } from '@jupyterlab/coreutils';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { DisposableSet } from '@lumino/disposable';
import type { IDisposable } from '@lumino/disposable';
import { complain } from '../framework/api/complain';
import { ApiError, asApiError } from '../framework/api/errors';
import {
  cancelIcon,
  openIcon,
  resumeIcon,
  runJobIcon
} from '../framework/icons';
import type { IApi } from '../framework/api/tokens';
import type { INotebooks } from '../framework/notebook/tokens';
import type { Json } from '../framework/wire';
import type { JobForm } from './jobForm';
import type { Runs } from './model';
import { isActive, isOpenable, isResumable } from './shown';

export namespace CommandIDs {
  export const runJob = 'jupyter-mlops:run-job';
  export const cancelRun = 'jupyter-mlops:cancel-run';
  export const resumeRun = 'jupyter-mlops:resume-run';
  export const openOutput = 'jupyter-mlops:open-output';
  export const openRun = 'jupyter-mlops:open-run';
}

export interface RunCommandOptions {
  commands: CommandRegistry;
  api: IApi;
  notebooks: INotebooks | null;
  runs: Runs;
  form: JobForm;
  trans: TranslationBundle;
  /** Shows the panel, in which the form stands; null where there is no panel: then the defaults are taken. */
  reveal: (() => void) | null;
}

export function addRunCommands(options: RunCommandOptions): IDisposable {
  return DisposableSet.from([
    addRunJob(options),
    addCancelRun(options),
    addResumeRun(options),
    addOpenOutput(options),
    addOpenRun(options)
  ]);
}

function addRunJob(options: RunCommandOptions): IDisposable {
  const { commands, notebooks, trans } = options;
  return commands.addCommand(CommandIDs.runJob, {
    label: trans.__('Run as job'),
    caption: () =>
      notebooks?.current
        ? trans.__(
            'Runs the notebook in the background, with parameters of your choice'
          )
        : trans.__('Open a notebook first'),
    icon: runJobIcon,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          path: {
            type: 'string',
            description: 'The notebook; without it the current one'
          },
          parameters: {
            type: 'object',
            description:
              'Values by name; without it a form asks for them, and a notebook that is not the current one takes its defaults'
          }
        }
      }
    },
    isEnabled: () =>
      (notebooks?.current?.language ?? 'python') === 'python' &&
      Boolean(notebooks?.current),
    execute: args => runJob(options, args)
  });
}

/** Opens the form, or with `parameters` saves the notebook and starts the job. Errors are said in the form. */
async function runJob(
  options: RunCommandOptions,
  args: ReadonlyPartialJSONObject
): Promise<void> {
  const { notebooks, reveal } = options;
  const path =
    typeof args['path'] === 'string' ? args['path'] : notebooks?.current?.path;
  if (path === undefined) {
    return;
  }
  const given = args['parameters'];
  if (given !== undefined && given !== null) {
    await startJob(options, path, given as { [name: string]: Json });
  } else if (reveal === null || path !== notebooks?.current?.path) {
    await startJob(options, path, {});
  } else {
    reveal();
    await askForParameters(options, path);
  }
}

async function askForParameters(
  options: RunCommandOptions,
  path: string
): Promise<void> {
  const { api, form, notebooks } = options;
  const open = notebooks?.all.find(notebook => notebook.path === path);
  try {
    const { parameters } = await api.status(path, open?.cells() ?? []);
    form.open(path, parameters);
  } catch (error) {
    complain(asApiError(error));
  }
}

async function startJob(
  options: RunCommandOptions,
  path: string,
  parameters: { [name: string]: Json }
): Promise<void> {
  const { form, notebooks, runs, trans } = options;
  form.setBusy();
  try {
    const open = notebooks?.all.find(notebook => notebook.path === path);
    await open?.save().catch((error: unknown) => {
      throw notSaved(error, trans);
    });
    await runs.start(path, parameters);
    form.close();
  } catch (error) {
    if (form.state === null) {
      complain(asApiError(error));
    }
    form.setError(asApiError(error));
  }
}

function addCancelRun(options: RunCommandOptions): IDisposable {
  const { commands, runs, trans } = options;
  return commands.addCommand(CommandIDs.cancelRun, {
    label: trans.__('Cancel the running job'),
    caption: trans.__('Stops the newest run that has not ended'),
    icon: cancelIcon,
    describedBy: idArgument(
      'The run; without it the newest that has not ended'
    ),
    isEnabled: () => runs.isActive,
    execute: async args => {
      const id =
        typeof args['id'] === 'string'
          ? args['id']
          : runs.runs?.find(isActive)?.id;
      if (id !== undefined) {
        await runs.cancel(id).catch(error => complain(asApiError(error)));
      }
    }
  });
}

function addResumeRun(options: RunCommandOptions): IDisposable {
  const { commands, notebooks, runs, trans } = options;
  const newest = (): string | undefined =>
    runs.runs?.find((run, _, all) => isResumable(run, all))?.id;
  return commands.addCommand(CommandIDs.resumeRun, {
    label: trans.__('Resume the newest run that did not complete'),
    caption: trans.__(
      'Continues it in the background, with the notebook as it was; steps it had finished are not executed again'
    ),
    icon: resumeIcon,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          id: {
            type: 'string',
            description: 'The run; without it the newest that did not complete'
          },
          withEdit: {
            type: 'boolean',
            description: 'Take the notebook as it is now'
          }
        }
      }
    },
    isEnabled: () => newest() !== undefined,
    execute: async args => {
      const id = typeof args['id'] === 'string' ? args['id'] : newest();
      if (id === undefined) {
        return;
      }
      const withEdit = args['withEdit'] === true;
      try {
        if (withEdit) {
          await saveSource(runs, notebooks, id, trans);
        }
        await runs.resume(id, withEdit);
      } catch (error) {
        complain(asApiError(error));
      }
    }
  });
}

/** An edit that is still in the editor alone is one, too. */
async function saveSource(
  runs: Runs,
  notebooks: INotebooks | null,
  id: string,
  trans: TranslationBundle
): Promise<void> {
  const source = PathExt.join(
    runs.project ?? '',
    runs.find(id)?.notebook ?? ''
  );
  const open = notebooks?.all.find(notebook => notebook.path === source);
  await open?.save().catch((error: unknown) => {
    throw notSaved(error, trans);
  });
}

function addOpenRun(options: RunCommandOptions): IDisposable {
  const { commands, notebooks, runs, trans } = options;
  const newest = (): string | undefined => runs.runs?.find(isOpenable)?.id;
  return commands.addCommand(CommandIDs.openRun, {
    label: trans.__('Open the newest failed run at its failed cell'),
    caption: trans.__(
      'Makes a notebook beside the original, with a cell that brings its variables back'
    ),
    describedBy: idArgument('The run; without it the newest that failed'),
    isEnabled: () => newest() !== undefined,
    execute: async args => {
      const id = typeof args['id'] === 'string' ? args['id'] : newest();
      if (id === undefined) {
        return;
      }
      try {
        const { path, cell_index } = await runs.openRun(id);
        await commands.execute('docmanager:open', { path });
        const made = notebooks?.all.find(notebook => notebook.path === path);
        await made?.ready;
        const cell = made?.cells()[cell_index];
        if (made && cell) {
          await made.reveal(cell.id);
        }
      } catch (error) {
        complain(asApiError(error));
      }
    }
  });
}

function addOpenOutput(options: RunCommandOptions): IDisposable {
  const { commands, runs, trans } = options;
  return commands.addCommand(CommandIDs.openOutput, {
    label: trans.__('Open the output of the newest run'),
    caption: trans.__('Opens the executed notebook'),
    icon: openIcon,
    describedBy: idArgument(
      'The run; without it the newest that has an output'
    ),
    isEnabled: () => runs.runs?.some(run => run.output_path !== null) ?? false,
    execute: async args => {
      const run =
        typeof args['id'] === 'string'
          ? runs.find(args['id'])
          : runs.runs?.find(each => each.output_path !== null);
      const path = run?.output_path ?? null;
      if (path === null) {
        return;
      }
      if (runs.project === null || path.startsWith('/')) {
        complain(outOfReach(path, trans));
        return;
      }
      await commands.execute('docmanager:open', {
        path: PathExt.join(runs.project, path),
        options: { mode: 'tab-after' }
      });
    }
  });
}

function idArgument(description: string) {
  return {
    args: {
      type: 'object',
      properties: { id: { type: 'string', description } }
    }
  } as const;
}

function notSaved(error: unknown, trans: TranslationBundle): ApiError {
  const reason = error instanceof Error ? error.message : String(error);
  return new ApiError(
    trans.__('The notebook could not be saved: %1', reason),
    trans.__(
      'A job runs the notebook as it is on disk. Save it, then start the job again.'
    ),
    'not_saved',
    0
  );
}

function outOfReach(path: string, trans: TranslationBundle): ApiError {
  return new ApiError(
    trans.__('The output is outside the folder JupyterLab was started in.'),
    path,
    'out_of_reach',
    0
  );
}
