// Wires the badges: one keeper per open notebook.
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { INotebooks } from '../../framework/notebook/tokens';
import type { OpenNotebook } from '../../framework/notebook/openNotebook';
import { IPanel } from '../../framework/panel/tokens';
import { IPipelines } from '../tokens';
import { Badges } from './badges';

export const badgesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-mlops:badges',
  description: 'Shows the name and state of a step above its cell.',
  autoStart: true,
  optional: [INotebooks, IPipelines, IPanel, ITranslator],
  activate: (
    _: JupyterFrontEnd,
    notebooks: INotebooks | null,
    pipelines: IPipelines | null,
    panel: IPanel | null,
    translator: ITranslator | null
  ): void => {
    if (notebooks === null || pipelines === null) {
      return;
    }
    const trans = (translator ?? nullTranslator).load('jupyter-mlops');
    const decorate = (notebook: OpenNotebook): Badges =>
      new Badges({
        notebook,
        pipeline: pipelines.of(notebook),
        trans,
        onClick: () => panel?.reveal()
      });
    notebooks.all.forEach(decorate);
    notebooks.added.connect((_, notebook) => {
      decorate(notebook);
    });
  }
};
