// The commands of the panel itself.
import type { TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import { DisposableSet } from '@lumino/disposable';
import type { IDisposable } from '@lumino/disposable';
import type { IApi } from '../api/tokens';
import { mlopsIcon } from '../icons';
import type { IPanel } from './tokens';

export namespace CommandIDs {
  export const openPanel = 'jupyter-mlops:open-panel';
  export const refresh = 'jupyter-mlops:refresh';
}

const NO_ARGUMENTS = { args: { type: 'object', properties: {} } } as const;

export function addPanelCommands(
  commands: CommandRegistry,
  panel: IPanel,
  api: IApi | null,
  trans: TranslationBundle
): IDisposable {
  return DisposableSet.from([
    commands.addCommand(CommandIDs.openPanel, {
      label: trans.__('Open the MLOps Panel'),
      caption: trans.__('Steps, runs and schedules of the open notebook'),
      icon: mlopsIcon,
      describedBy: NO_ARGUMENTS,
      execute: () => panel.reveal()
    }),
    commands.addCommand(CommandIDs.refresh, {
      label: trans.__('Refresh the MLOps Panel'),
      caption: trans.__('Asks the server again'),
      icon: refreshIcon,
      describedBy: NO_ARGUMENTS,
      isEnabled: () => api !== null,
      execute: () => api?.refresh()
    })
  ]);
}
