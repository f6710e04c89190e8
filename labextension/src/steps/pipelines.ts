// A Pipeline per open notebook, and which one is current. A slow poll of the current one is the net under the events.
import type { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type { IApi } from '../framework/api/tokens';
import type { OpenNotebook } from '../framework/notebook/openNotebook';
import type { INotebooks } from '../framework/notebook/tokens';
import { Pipeline } from './pipeline';
import type { IPipelines } from './tokens';

const INTERVAL = 20_000;
const MAX_INTERVAL = 300_000;

export class Pipelines implements IPipelines, IDisposable {
  constructor(
    private readonly _notebooks: INotebooks,
    private readonly _api: IApi
  ) {
    _notebooks.all.forEach(notebook => this.of(notebook));
    _notebooks.added.connect(this._onAdded, this);
    _notebooks.currentChanged.connect(this._onCurrent, this);
    this._poll = new Poll({
      name: 'jupyter-mlops:steps',
      frequency: { interval: INTERVAL, max: MAX_INTERVAL, backoff: true },
      standby: () => (this.current === null ? true : 'when-hidden'),
      factory: () => this._look()
    });
  }

  get current(): Pipeline | null {
    const notebook = this._notebooks.current;
    return notebook === null ? null : this.of(notebook);
  }

  get added(): ISignal<IPipelines, Pipeline> {
    return this._added;
  }

  get changed(): ISignal<IPipelines, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  of(notebook: OpenNotebook): Pipeline {
    const known = this._open.get(notebook);
    if (known) {
      return known;
    }
    const pipeline = new Pipeline(
      notebook,
      this._api,
      () => notebook.isVisible || notebook === this._notebooks.current
    );
    this._open.set(notebook, pipeline);
    notebook.disposed.connect(() => {
      this._open.delete(notebook);
      pipeline.dispose();
    }, this);
    pipeline.changed.connect(this._onPipeline, this);
    this._added.emit(pipeline);
    return pipeline;
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._poll.dispose();
    this._open.forEach(pipeline => pipeline.dispose());
    Signal.disconnectReceiver(this);
    Signal.clearData(this);
  }

  private async _look(): Promise<void> {
    const pipeline = this.current;
    await pipeline?.refresh();
    if (pipeline?.state.error) {
      // Rejecting is how a poll learns to wait longer.
      throw pipeline.state.error;
    }
  }

  private _onAdded(_: INotebooks, notebook: OpenNotebook): void {
    this.of(notebook);
  }

  private _onCurrent(): void {
    void this.current?.refresh();
    this._changed.emit();
  }

  private _onPipeline(pipeline: Pipeline): void {
    if (pipeline === this.current) {
      this._changed.emit();
    }
  }

  private readonly _poll: Poll;
  private readonly _open = new Map<OpenNotebook, Pipeline>();
  private readonly _added = new Signal<IPipelines, Pipeline>(this);
  private readonly _changed = new Signal<IPipelines, void>(this);
}
