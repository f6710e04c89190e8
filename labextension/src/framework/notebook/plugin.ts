// Wires the open notebooks to JupyterLab's notebook tracker.
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { Notebooks } from './notebooks';
import { INotebooks } from './tokens';

export const notebookPlugin: JupyterFrontEndPlugin<INotebooks> = {
  id: 'jupyter-mlops:notebook',
  description: 'Follows the open notebooks.',
  autoStart: true,
  requires: [INotebookTracker],
  provides: INotebooks,
  activate: (_: JupyterFrontEnd, tracker: INotebookTracker): INotebooks =>
    new Notebooks(tracker)
};
