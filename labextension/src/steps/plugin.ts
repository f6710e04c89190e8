// Wires the pipelines of the open notebooks, the commands on steps and the panel's section of them.
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { IApi } from '../framework/api/tokens';
import { INotebooks } from '../framework/notebook/tokens';
import type { OpenNotebook } from '../framework/notebook/openNotebook';
import { IPanel } from '../framework/panel/tokens';
import { CommandIDs, addStepCommands } from './commands';
import { MarkForm } from './markForm';
import { MarkFormSection, StepsSection } from './panel';
import { Pipelines } from './pipelines';
import { IPipelines } from './tokens';

export const stepsPlugin: JupyterFrontEndPlugin<IPipelines | null> = {
  id: 'jupyter-mlops:steps',
  description: 'Shows the steps of the open notebook and marks cells as steps.',
  autoStart: true,
  provides: IPipelines,
  optional: [IApi, INotebooks, IPanel, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    api: IApi | null,
    notebooks: INotebooks | null,
    panel: IPanel | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): IPipelines | null => {
    if (api === null || notebooks === null) {
      return null;
    }
    const { commands } = app;
    const trans = (translator ?? nullTranslator).load('jupyter-mlops');
    const pipelines = new Pipelines(notebooks, api);
    const form = new MarkForm();
    const reveal = panel && ((): void => panel.reveal());
    addStepCommands({ commands, pipelines, form, trans, reveal });
    for (const command of Object.values(CommandIDs)) {
      palette?.addItem({ command, category: trans.__('MLOps') });
    }
    const retell = (): void => {
      Object.values(CommandIDs).forEach(id =>
        commands.notifyCommandChanged(id)
      );
    };
    const watch = (notebook: OpenNotebook): void => {
      notebook.activeCellChanged.connect(retell);
    };
    notebooks.all.forEach(watch);
    notebooks.added.connect((_, notebook) => watch(notebook));
    pipelines.changed.connect(retell);
    notebooks.currentChanged.connect(() => form.close());
    panel?.addAction({ command: CommandIDs.markStep, rank: 10 });
    panel?.addForm(new MarkFormSection(form, commands, trans));
    panel?.addSection({
      widget: new StepsSection(pipelines, commands, trans),
      rank: 10
    });
    return pipelines;
  }
};
