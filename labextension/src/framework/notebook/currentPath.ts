// The path of the current notebook, for models that only need to know which project is looked at.
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { OpenNotebook } from './openNotebook';
import type { INotebooks } from './tokens';

export interface IPathSource {
  /** Contents path, or null where no notebook is open. */
  readonly path: string | null;
  readonly pathChanged: ISignal<IPathSource, void>;
}

export class CurrentPath implements IPathSource, IDisposable {
  constructor(private readonly _notebooks: INotebooks | null) {
    this._last = this.path;
    _notebooks?.all.forEach(notebook => this._watch(notebook));
    _notebooks?.added.connect(this._onAdded, this);
    _notebooks?.currentChanged.connect(this._onMaybe, this);
  }

  get path(): string | null {
    return this._notebooks?.current?.path ?? null;
  }

  get pathChanged(): ISignal<IPathSource, void> {
    return this._pathChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.disconnectReceiver(this);
    Signal.clearData(this);
  }

  private _onAdded(_: INotebooks, notebook: OpenNotebook): void {
    this._watch(notebook);
  }

  private _watch(notebook: OpenNotebook): void {
    notebook.identityChanged.connect(this._onMaybe, this);
  }

  private _onMaybe(): void {
    if (this.path !== this._last) {
      this._last = this.path;
      this._pathChanged.emit();
    }
  }

  private readonly _pathChanged = new Signal<IPathSource, void>(this);
  private _last: string | null;
  private _isDisposed = false;
}
