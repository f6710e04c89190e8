// Which notebooks are open and which one is current: one OpenNotebook per panel, for as long as the panel lives.
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import { OpenNotebook } from './openNotebook';
import type { INotebooks } from './tokens';

export class Notebooks implements INotebooks, IDisposable {
  constructor(private readonly _tracker: INotebookTracker) {
    _tracker.forEach(panel => this._add(panel));
    _tracker.widgetAdded.connect(this._onAdded, this);
    _tracker.currentChanged.connect(this._onCurrent, this);
  }

  get all(): ReadonlyArray<OpenNotebook> {
    return [...this._open.values()];
  }

  get current(): OpenNotebook | null {
    const panel = this._tracker.currentWidget;
    return panel === null || panel.isDisposed ? null : this._add(panel);
  }

  get added(): ISignal<INotebooks, OpenNotebook> {
    return this._added;
  }

  get currentChanged(): ISignal<INotebooks, OpenNotebook | null> {
    return this._currentChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._tracker.widgetAdded.disconnect(this._onAdded, this);
    this._tracker.currentChanged.disconnect(this._onCurrent, this);
    this._open.forEach(notebook => notebook.dispose());
    Signal.clearData(this);
  }

  private _add(panel: NotebookPanel): OpenNotebook {
    const known = this._open.get(panel);
    if (known) {
      return known;
    }
    const notebook = new OpenNotebook(panel);
    this._open.set(panel, notebook);
    notebook.disposed.connect(() => this._open.delete(panel), this);
    this._added.emit(notebook);
    return notebook;
  }

  private _onAdded(_: INotebookTracker, panel: NotebookPanel): void {
    this._add(panel);
  }

  private _onCurrent(): void {
    this._currentChanged.emit(this.current);
  }

  private readonly _open = new Map<NotebookPanel, OpenNotebook>();
  private readonly _added = new Signal<INotebooks, OpenNotebook>(this);
  private readonly _currentChanged = new Signal<
    INotebooks,
    OpenNotebook | null
  >(this);
  private _isDisposed = false;
}
