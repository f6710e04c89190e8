// An open notebook of JupyterLab as the models see it: reads cells, gathers changes, writes tags. It renders nothing.
import type { ISessionContext } from '@jupyterlab/apputils';
import type { Cell as CellWidget, ICellModel } from '@jupyterlab/cells';
import { PathExt } from '@jupyterlab/coreutils';
import { NotebookActions } from '@jupyterlab/notebook';
import type {
  INotebookModel,
  Notebook,
  NotebookPanel
} from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import { Debouncer } from '@lumino/polling';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { Cell, Json } from '../wire';
import type { INotebookSource } from './source';

/** How long typing must rest before the cells are looked at again, in milliseconds. */
const QUIET = 400;

export class OpenNotebook implements INotebookSource {
  constructor(readonly panel: NotebookPanel) {
    this._settled = new Debouncer(() => {
      if (!this._isDisposed) {
        this._cellsChanged.emit();
      }
    }, QUIET);
    panel.disposed.connect(this.dispose, this);
    panel.context.pathChanged.connect(this._onIdentity, this);
    panel.content.activeCellChanged.connect(this._onActiveCell, this);
    panel.sessionContext.statusChanged.connect(this._onKernelStatus, this);
    panel.sessionContext.kernelChanged.connect(this._onKernelChanged, this);
    NotebookActions.executed.connect(this._onExecuted, this);
    void panel.context.ready.then(() => this._onReady());
  }

  get path(): string {
    return this.panel.context.path;
  }

  get name(): string {
    return PathExt.basename(this.path);
  }

  get language(): string | null {
    const model = this.panel.model;
    const named =
      languageIn(model, 'language_info', 'name') ??
      languageIn(model, 'kernelspec', 'language');
    return named === null ? null : named.toLowerCase();
  }

  get isReady(): boolean {
    return this.panel.context.isReady;
  }

  get ready(): Promise<void> {
    return this.panel.context.ready;
  }

  get kernel(): string | null {
    return this.panel.sessionContext.session?.kernel?.id ?? null;
  }

  get papermill(): Json {
    const found: unknown = this.panel.model?.getMetadata('papermill');
    return (found as Json | undefined) ?? null;
  }

  get isVisible(): boolean {
    return !this.panel.isDisposed && this.panel.isVisible;
  }

  get activeCell(): Cell | null {
    const { activeCell, activeCellIndex } = this.panel.content;
    return activeCell === null
      ? null
      : cellOf(activeCell.model, activeCellIndex);
  }

  get cellsChanged(): ISignal<INotebookSource, void> {
    return this._cellsChanged;
  }

  get executed(): ISignal<INotebookSource, void> {
    return this._executed;
  }

  get identityChanged(): ISignal<INotebookSource, void> {
    return this._identityChanged;
  }

  get activeCellChanged(): ISignal<INotebookSource, void> {
    return this._activeCellChanged;
  }

  get disposed(): ISignal<this, void> {
    return this._disposed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  cells(): Cell[] {
    const list = this.panel.model?.cells;
    return list ? Array.from(list, (model, index) => cellOf(model, index)) : [];
  }

  setTags(cellId: string, tags: string[]): void {
    for (const model of this.panel.model?.cells ?? []) {
      if (model.id === cellId) {
        if (tags.length > 0) {
          model.setMetadata('tags', tags);
        } else {
          model.deleteMetadata('tags');
        }
      }
    }
  }

  insertOnTop(source: string): void {
    this.panel.model?.sharedModel.insertCell(0, {
      cell_type: 'code',
      source,
      metadata: {}
    });
  }

  async reveal(cellId: string): Promise<boolean> {
    const { content } = this.panel;
    const index = content.widgets.findIndex(cell => cell.model.id === cellId);
    if (index < 0) {
      return false;
    }
    content.deselectAll();
    content.activeCellIndex = index;
    content.activate();
    await content.scrollToCell(content.widgets[index], 'start');
    // Last, as activation may put the cursor into the cell: keys must not write there.
    content.mode = 'command';
    return true;
  }

  async save(): Promise<void> {
    if (this.panel.model?.dirty) {
      await this.panel.context.save();
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._settled.dispose();
    NotebookActions.executed.disconnect(this._onExecuted, this);
    this._disposed.emit();
    Signal.clearData(this);
  }

  private _onReady(): void {
    const model = this.panel.model;
    if (this._isDisposed || model === null) {
      return;
    }
    model.contentChanged.connect(this._onContent, this);
    model.metadataChanged.connect(this._onMetadata, this);
    this._onIdentity();
  }

  private _onContent(): void {
    void this._settled.invoke().catch(() => undefined);
  }

  private _onMetadata(_: INotebookModel, change: { key: string }): void {
    if (change.key === 'language_info' || change.key === 'kernelspec') {
      this._onIdentity();
    }
  }

  private _onIdentity(): void {
    this._identityChanged.emit();
  }

  private _onActiveCell(_: Notebook, _cell: CellWidget | null): void {
    this._activeCellChanged.emit();
  }

  private _onKernelStatus(_: ISessionContext, status: Kernel.Status): void {
    if (
      ['restarting', 'autorestarting', 'dead', 'terminating'].includes(status)
    ) {
      this._restarted = true;
    } else if (status === 'idle' && this._restarted) {
      this._restarted = false;
      this._executed.emit();
    }
  }

  private _onKernelChanged(): void {
    this._restarted = true;
    this._onIdentity();
  }

  private _onExecuted(_: unknown, args: { notebook: Notebook }): void {
    if (args.notebook === this.panel.content) {
      this._executed.emit();
    }
  }

  private readonly _settled: Debouncer;
  private readonly _cellsChanged = new Signal<INotebookSource, void>(this);
  private readonly _executed = new Signal<INotebookSource, void>(this);
  private readonly _identityChanged = new Signal<INotebookSource, void>(this);
  private readonly _activeCellChanged = new Signal<INotebookSource, void>(this);
  private readonly _disposed = new Signal<this, void>(this);
  private _isDisposed = false;
  private _restarted = false;
}

function cellOf(model: ICellModel, index: number): Cell {
  const tags: unknown = model.getMetadata('tags');
  return {
    index,
    id: model.id,
    kind: model.type,
    source: model.sharedModel.getSource(),
    tags: Array.isArray(tags) ? tags.map(String) : []
  };
}

function languageIn(
  model: INotebookModel | null,
  key: string,
  field: string
): string | null {
  const found: unknown = model?.getMetadata(key);
  const value =
    typeof found === 'object' && found !== null
      ? (found as { [name: string]: unknown })[field]
      : undefined;
  return typeof value === 'string' && value !== '' ? value : null;
}
