// The open notebooks, shared by the plugins.
import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import type { OpenNotebook } from './openNotebook';

export interface INotebooks {
  readonly all: ReadonlyArray<OpenNotebook>;
  /** The notebook that was last worked in, as long as it is open. */
  readonly current: OpenNotebook | null;
  readonly added: ISignal<INotebooks, OpenNotebook>;
  readonly currentChanged: ISignal<INotebooks, OpenNotebook | null>;
}

export const INotebooks = new Token<INotebooks>(
  'jupyter-mlops:INotebooks',
  'The open notebooks and which one is current.'
);
