// The actions that plugins add to the panel's header, in the order of their ranks.
import { DisposableDelegate } from '@lumino/disposable';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { IPanel } from './tokens';

export class Actions implements IDisposable {
  get all(): ReadonlyArray<IPanel.IAction> {
    return this._all;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  add(action: IPanel.IAction): IDisposable {
    this._set([...this._all, action]);
    return new DisposableDelegate(() =>
      this._set(this._all.filter(each => each !== action))
    );
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private _set(actions: IPanel.IAction[]): void {
    this._all = actions.sort((a, b) => a.rank - b.rank);
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _all: IPanel.IAction[] = [];
  private _isDisposed = false;
}
