// The side panel as other plugins see it: a place for sections, forms and actions.
import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

export interface IPanel {
  /** Adds a collapsible section; its title is the widget's. */
  addSection(section: IPanel.ISection): IDisposable;
  /** Adds a form that stands between the header and the sections while it is not hidden. */
  addForm(form: Widget): IDisposable;
  /** Adds a button that executes a command to the header. */
  addAction(action: IPanel.IAction): IDisposable;
  /** Shows the panel. */
  reveal(): void;
}

export namespace IPanel {
  export interface ISection {
    widget: ISectionWidget;
    rank: number;
  }

  export interface ISectionWidget extends Widget {
    /** Height of all it shows, in pixels. */
    readonly wantedHeight: number;
    /** Emitted when it has drawn itself again. */
    readonly drawn: ISignal<ISectionWidget, void>;
  }

  export interface IAction {
    command: string;
    rank: number;
    primary?: boolean;
  }
}

export const IPanel = new Token<IPanel>(
  'jupyter-mlops:IPanel',
  'The MLOps side panel, open for further sections.'
);
