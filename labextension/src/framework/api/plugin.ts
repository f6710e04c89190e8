// Wires the REST client and the event stream of the server; every other plugin of ours asks it.
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { RestApi } from './client';
import { IApi } from './tokens';

export const apiPlugin: JupyterFrontEndPlugin<IApi> = {
  id: 'jupyter-mlops:api',
  description: 'Talks to the server part of jupyter-mlops.',
  autoStart: true,
  provides: IApi,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null): IApi =>
    new RestApi({
      serverSettings: app.serviceManager.serverSettings,
      events: app.serviceManager.events,
      trans: (translator ?? nullTranslator).load('jupyter-mlops')
    })
};
