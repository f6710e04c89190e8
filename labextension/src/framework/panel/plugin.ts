// Wires the side panel: its place in the left sidebar, its header and its commands.
import { ILayoutRestorer } from '@jupyterlab/application';
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { IApi } from '../api/tokens';
import { INotebooks } from '../notebook/tokens';
import { Actions } from './actions';
import { CommandIDs, addPanelCommands } from './commands';
import { HeaderSection } from './header';
import { IPanel } from './tokens';
import { MLOpsPanel, PANEL_ID } from './widget';

/** Below the table of contents, above the extension manager. */
const RANK = 450;

export const panelPlugin: JupyterFrontEndPlugin<IPanel> = {
  id: 'jupyter-mlops:panel',
  description: 'Adds the MLOps panel to the left sidebar.',
  autoStart: true,
  provides: IPanel,
  optional: [IApi, INotebooks, ICommandPalette, ILayoutRestorer, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    api: IApi | null,
    notebooks: INotebooks | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    translator: ITranslator | null
  ): IPanel => {
    const { commands, shell } = app;
    const trans = (translator ?? nullTranslator).load('jupyter-mlops');
    const actions = new Actions();
    const panel = new MLOpsPanel({
      trans,
      translator: translator ?? undefined,
      actions,
      reveal: () => shell.activateById(PANEL_ID)
    });
    panel.header.addWidget(
      new HeaderSection({ trans, commands, actions, api, notebooks })
    );
    addPanelCommands(commands, panel, api, trans);
    for (const command of [CommandIDs.openPanel, CommandIDs.refresh]) {
      palette?.addItem({ command, category: trans.__('MLOps') });
    }
    shell.add(panel, 'left', { rank: RANK, type: 'MLOps' });
    restorer?.add(panel, PANEL_ID);
    return panel;
  }
};
