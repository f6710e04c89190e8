// Wires the schedules of the project to the panel.
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { IApi } from '../framework/api/tokens';
import { CurrentPath } from '../framework/notebook/currentPath';
import { INotebooks } from '../framework/notebook/tokens';
import { IPanel } from '../framework/panel/tokens';
import { Schedules } from './model';
import { SchedulesSection } from './panel';

export const schedulesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:schedules',
  description:
    'Shows the schedules of the project and whether a scheduler is alive.',
  autoStart: true,
  optional: [IApi, INotebooks, IPanel, ITranslator],
  activate: (
    _: JupyterFrontEnd,
    api: IApi | null,
    notebooks: INotebooks | null,
    panel: IPanel | null,
    translator: ITranslator | null
  ): void => {
    if (api === null || panel === null) {
      return;
    }
    const trans = (translator ?? nullTranslator).load('jupyter-mlops');
    const schedules = new Schedules(api, new CurrentPath(notebooks));
    panel.addSection({
      widget: new SchedulesSection(schedules, trans),
      rank: 30
    });
  }
};
