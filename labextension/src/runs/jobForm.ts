// The state of the form that starts a job: one field per parameter of the notebook. It knows neither React nor HTTP.
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { ApiError } from '../framework/api/errors';
import type { Json, Parameter } from '../framework/wire';
import { fieldOf, readField } from './fields';
import type { Field, FieldValue } from './fields';

export interface JobFormState {
  /** Contents path of the notebook that will run. */
  path: string;
  fields: ReadonlyArray<Field>;
  values: { readonly [name: string]: FieldValue };
  /** What is wrong with a field, by its name. */
  problems: { readonly [name: string]: string };
  /** What the server said. */
  error: ApiError | null;
  isBusy: boolean;
}

export class JobForm implements IDisposable {
  constructor(private readonly _trans: TranslationBundle) {}

  /** What is shown, or null while the form is closed. */
  get state(): JobFormState | null {
    return this._state;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  open(path: string, parameters: ReadonlyArray<Parameter>): void {
    const fields = parameters.map(fieldOf);
    this._set({
      path,
      fields,
      values: Object.fromEntries(fields.map(each => [each.name, each.initial])),
      problems: {},
      error: null,
      isBusy: false
    });
  }

  setValue(name: string, value: FieldValue): void {
    if (this._state) {
      const { [name]: _gone, ...problems } = this._state.problems;
      const values = { ...this._state.values, [name]: value };
      this._set({ ...this._state, values, problems, error: null });
    }
  }

  /** The values to send, those that differ from the notebook's defaults; null where a field is wrong, and then it says so. */
  read(): { [name: string]: Json } | null {
    if (!this._state) {
      return null;
    }
    const values: { [name: string]: Json } = {};
    const problems: { [name: string]: string } = {};
    for (const field of this._state.fields) {
      const read = readField(
        field,
        this._state.values[field.name],
        this._trans
      );
      if (read.kind === 'value') {
        values[field.name] = read.value;
      } else if (read.kind === 'problem') {
        problems[field.name] = read.message;
      }
    }
    this._set({ ...this._state, problems });
    return Object.keys(problems).length > 0 ? null : values;
  }

  setBusy(): void {
    if (this._state) {
      this._set({ ...this._state, isBusy: true, error: null });
    }
  }

  setError(error: ApiError): void {
    if (this._state) {
      this._set({ ...this._state, isBusy: false, error });
    }
  }

  close(): void {
    this._set(null);
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private _set(state: JobFormState | null): void {
    this._state = state;
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _state: JobFormState | null = null;
  private _isDisposed = false;
}
