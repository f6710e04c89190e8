// The state of the small form that names the active cell as a step. It writes nothing; the command does.
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { Cell } from '../framework/wire';
import { stepMarkOf } from './name';
import type { StepMark } from './name';

export interface MarkFormState {
  cell: Cell;
  /** How the cell is marked already. */
  mark: StepMark | null;
  /** What stands in the field. */
  name: string;
  problem: string | null;
}

export class MarkForm implements IDisposable {
  /** What is shown, or null while the form is closed. */
  get state(): MarkFormState | null {
    return this._state;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  open(cell: Cell): void {
    const mark = stepMarkOf(cell);
    this._set({
      cell,
      mark,
      name: mark?.name ?? suggestedName(cell.source),
      problem: null
    });
  }

  setName(name: string): void {
    if (this._state) {
      this._set({ ...this._state, name, problem: null });
    }
  }

  setProblem(problem: string | null): void {
    if (this._state) {
      this._set({ ...this._state, problem });
    }
  }

  close(): void {
    this._set(null);
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private _set(state: MarkFormState | null): void {
    this._state = state;
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _state: MarkFormState | null = null;
  private _isDisposed = false;
}

/** A name read from a comment on top of a cell ("# Clean the data" gives clean_the_data), or "". */
export function suggestedName(source: string): string {
  const comment = /^\s*#+\s*([^\n]+)/.exec(source)?.[1] ?? '';
  const words = comment.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const name = words.slice(0, 3).join('_');
  return /^\p{L}/u.test(name) ? name : '';
}
