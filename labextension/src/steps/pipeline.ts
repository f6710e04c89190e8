// The pipeline of one open notebook: asks the server for the state of its steps and says when that changed.
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import { asApiError } from '../framework/api/errors';
import type { ApiError } from '../framework/api/errors';
import { Latest } from '../framework/api/latest';
import type { IApi } from '../framework/api/tokens';
import type { INotebookSource } from '../framework/notebook/source';
import { isWithin } from '../framework/notebook/within';
import type { PipelineStatus, StepStatus } from '../framework/wire';
import { stepMarkOf } from './name';

const LOADS_EXTENSION = /^\s*%(re)?load_ext\s+jupyter_mlops\b/m;

/** `status` is the newest answer, kept while a later request fails. */
export interface PipelineState {
  /** The kernel's language where that is not Python: such a notebook has no steps. */
  foreign: string | null;
  status: PipelineStatus | null;
  error: ApiError | null;
}

export class Pipeline implements IDisposable {
  constructor(
    readonly notebook: INotebookSource,
    private readonly _api: IApi,
    /** Whether someone looks at it: what nobody sees is asked for again when it is shown. */
    private readonly _isWanted: () => boolean = () => notebook.isVisible
  ) {
    notebook.cellsChanged.connect(this._look, this);
    notebook.executed.connect(this._look, this);
    notebook.identityChanged.connect(this._look, this);
    _api.changed.connect(this._onServerChange, this);
  }

  get state(): PipelineState {
    return this._state;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The steps in pipeline order, as far as they are known. */
  get steps(): ReadonlyArray<StepStatus> {
    return this._state.status?.steps ?? [];
  }

  /** The steps that are shown: those that have a name, and the others where they are wanted. */
  get shown(): ReadonlyArray<StepStatus> {
    return this.showsUnnamed
      ? this.steps
      : this.steps.filter(step => step.named);
  }

  /** Whether cells that no one named are shown too: where they are captured, where there are no others, or on demand. */
  get showsUnnamed(): boolean {
    const captured = this._state.status?.captured ?? false;
    return (this._unnamed ?? captured) || !this.steps.some(step => step.named);
  }

  /** Shows or hides the cells that no one named, whatever would be done without being asked. */
  toggleUnnamed(): void {
    this._unnamed = !this.showsUnnamed;
    this._changed.emit();
  }

  /** Whether cells are marked that the server has not told of yet. */
  get isBehind(): boolean {
    return (
      this.steps.length === 0 &&
      this.notebook.cells().some(cell => stepMarkOf(cell) !== null)
    );
  }

  /** Whether a cell loads the extension: without that a live kernel records nothing. */
  get loadsExtension(): boolean {
    return this.notebook
      .cells()
      .some(cell => cell.kind === 'code' && LOADS_EXTENSION.test(cell.source));
  }

  /** Names of the steps marked in other cells than `cellId`. */
  namesBeside(cellId: string): string[] {
    return this.notebook
      .cells()
      .filter(cell => cell.id !== cellId)
      .map(cell => stepMarkOf(cell)?.name ?? '')
      .filter(name => name !== '');
  }

  /** Asks the server again. Never rejects: what went wrong is in the state. */
  refresh(): Promise<void> {
    return this._latest.run();
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._api.changed.disconnect(this._onServerChange, this);
    Signal.disconnectReceiver(this);
    Signal.clearData(this);
  }

  private async _fetch(): Promise<void> {
    const language = this.notebook.language;
    if (language !== null && language !== 'python') {
      this._set({ foreign: language, status: null, error: null });
      return;
    }
    if (!this.notebook.isReady) {
      return;
    }
    try {
      const { path, kernel, papermill } = this.notebook;
      const status = await this._api.status(path, this.notebook.cells(), {
        kernel,
        papermill
      });
      this._keepUnnamed(status);
      this._set({ foreign: null, status, error: null });
    } catch (error) {
      const { status } = this._state;
      this._set({ foreign: null, status, error: asApiError(error) });
    }
  }

  /** Cells that were recorded and shown do not vanish when the first of them gets a name. */
  private _keepUnnamed({ steps }: PipelineStatus): void {
    if (
      steps.some(step => step.state !== 'never_run') &&
      !steps.some(step => step.named)
    ) {
      this._unnamed ??= true;
    }
  }

  private _set(state: PipelineState): void {
    if (!this._isDisposed) {
      this._state = state;
      this._changed.emit();
    }
  }

  private _look(): void {
    if (this._isWanted()) {
      void this.refresh();
    }
  }

  private _onServerChange(_: IApi, project: string | null): void {
    if (project === null || isWithin(this.notebook.path, project)) {
      this._look();
    }
  }

  private readonly _latest = new Latest(() => this._fetch());
  private readonly _changed = new Signal<this, void>(this);
  private _state: PipelineState = { foreign: null, status: null, error: null };
  private _unnamed: boolean | null = null;
  private _isDisposed = false;
}
