// The pipelines of the open notebooks, shared by the plugins.
import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import type { OpenNotebook } from '../framework/notebook/openNotebook';
import type { Pipeline } from './pipeline';

export interface IPipelines {
  /** The pipeline of the current notebook. */
  readonly current: Pipeline | null;
  of(notebook: OpenNotebook): Pipeline;
  readonly added: ISignal<IPipelines, Pipeline>;
  /** The current pipeline changed, or another one is current. */
  readonly changed: ISignal<IPipelines, void>;
}

export const IPipelines = new Token<IPipelines>(
  'jupyter-mlops:IPipelines',
  'The steps of the open notebooks with their states.'
);
