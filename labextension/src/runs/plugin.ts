// Wires the runs of the project, the commands on them, the panel's section of them and the form that starts a job.
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { IApi } from '../framework/api/tokens';
import { CurrentPath } from '../framework/notebook/currentPath';
import { INotebooks } from '../framework/notebook/tokens';
import { IPanel } from '../framework/panel/tokens';
import { CommandIDs, addRunCommands } from './commands';
import { JobForm } from './jobForm';
import { Runs } from './model';
import { JobFormSection, RunsSection } from './panel';

export const runsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:runs',
  description: 'Shows the runs of the project and starts notebooks as jobs.',
  autoStart: true,
  optional: [IApi, INotebooks, IPanel, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    api: IApi | null,
    notebooks: INotebooks | null,
    panel: IPanel | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): void => {
    if (api === null) {
      return;
    }
    const { commands } = app;
    const trans = (translator ?? nullTranslator).load('jupyter-mlops');
    const source = new CurrentPath(notebooks);
    const runs = new Runs(api, source);
    const form = new JobForm(trans);
    const reveal = panel && ((): void => panel.reveal());
    addRunCommands({ commands, api, notebooks, runs, form, trans, reveal });
    for (const command of Object.values(CommandIDs)) {
      palette?.addItem({ command, category: trans.__('MLOps') });
    }
    const retell = (): void => {
      Object.values(CommandIDs).forEach(id =>
        commands.notifyCommandChanged(id)
      );
    };
    runs.changed.connect(retell);
    notebooks?.currentChanged.connect(retell);
    notebooks?.added.connect((_, notebook) =>
      notebook.identityChanged.connect(retell)
    );
    panel?.addAction({ command: CommandIDs.runJob, rank: 20, primary: true });
    panel?.addForm(new JobFormSection(form, source, commands, trans));
    panel?.addSection({
      widget: new RunsSection(runs, commands, trans),
      rank: 20
    });
  }
};
