// The runs of the current project, newest first, and the details of those that are unfolded. Events and a poll keep it new.
import type { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import { asApiError } from '../framework/api/errors';
import type { ApiError } from '../framework/api/errors';
import { Latest } from '../framework/api/latest';
import type { IApi } from '../framework/api/tokens';
import type { IPathSource } from '../framework/notebook/currentPath';
import { isWithin } from '../framework/notebook/within';
import type { OpenedRun, Run, RunDetail, RunList } from '../framework/wire';
import { isActive } from './shown';

const IDLE = 20_000;
const BUSY = 2_000;
const MAX_INTERVAL = 300_000;

export class Runs implements IDisposable {
  constructor(
    private readonly _api: IApi,
    private readonly _source: IPathSource
  ) {
    this._poll = new Poll({
      name: 'jupyter-mlops:runs',
      frequency: { interval: IDLE, max: MAX_INTERVAL, backoff: true },
      standby: 'when-hidden',
      factory: async () => {
        await this.refresh();
        if (this._error) {
          // Rejecting is how a poll learns to wait longer.
          throw this._error;
        }
      }
    });
    _api.changed.connect(this._onServerChange, this);
    _source.pathChanged.connect(this._onPath, this);
  }

  /** Newest first; null until the first answer. */
  get runs(): ReadonlyArray<Run> | null {
    return this._runs;
  }

  /** Contents path of the project's folder; null where there is none. */
  get project(): string | null {
    return this._project;
  }

  get error(): ApiError | null {
    return this._error;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  /** Whether a job waits or works. */
  get isActive(): boolean {
    return this._runs?.some(isActive) ?? false;
  }

  isOpen(id: string): boolean {
    return this._open.has(id);
  }

  /** The details of an unfolded run; null until they have come. */
  detail(id: string): RunDetail | null {
    return this._open.get(id) ?? null;
  }

  /** Where all of a run can be had, however large it is. */
  wholeUrl(id: string): string {
    return this._api.runUrl(id, this._source.path);
  }

  find(id: string): Run | undefined {
    return this._runs?.find(run => run.id === id);
  }

  /** Folds or unfolds a run. */
  toggle(id: string): void {
    if (this._open.has(id)) {
      this._open.delete(id);
    } else {
      this._open.set(id, null);
      void this.refresh();
    }
    this._changed.emit();
  }

  /** Asks the server again. Never rejects: what went wrong is in `error`. */
  refresh(): Promise<void> {
    return this._latest.run();
  }

  async start(
    path: string,
    parameters: Parameters<IApi['startRun']>[1]
  ): Promise<Run> {
    const run = await this._api.startRun(path, parameters);
    await this.refresh();
    return run;
  }

  async cancel(id: string): Promise<void> {
    try {
      await this._api.cancelRun(id, this._source.path);
    } finally {
      await this.refresh();
    }
  }

  /** Whether the server was asked to resume a run and has not answered yet. */
  isResuming(id: string): boolean {
    return this._resuming.has(id);
  }

  async resume(id: string, withEdit = false): Promise<void> {
    if (this._resuming.has(id)) {
      return;
    }
    this._resuming.add(id);
    this._changed.emit();
    try {
      await this._api.resumeRun(id, this._source.path, withEdit);
    } finally {
      await this.refresh();
      this._resuming.delete(id);
      this._changed.emit();
    }
  }

  /** Makes a notebook at the cell where a run failed. */
  openRun(id: string): Promise<OpenedRun> {
    return this._api.openRun(id, this._source.path);
  }

  /** Whether there are runs that are older than those here. */
  get hasOlder(): boolean {
    return this._hasOlder;
  }

  /** Fetches the next older runs. Never rejects: what went wrong is in `error`. */
  showOlder(): Promise<void> {
    this._pages += 1;
    return this.refresh();
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._poll.dispose();
    Signal.disconnectReceiver(this);
    Signal.clearData(this);
  }

  private async _fetch(): Promise<void> {
    try {
      const path = this._source.path;
      const list = await this._list(path);
      const details = await Promise.all(
        [...this._open.keys()]
          .filter(id => list.runs.some(run => run.id === id))
          .map(id => this._api.run(id, path))
      );
      this._runs = list.runs;
      this._project = list.project;
      this._hasOlder = list.older;
      for (const detail of details) {
        if (this._open.has(detail.id)) {
          this._open.set(detail.id, detail);
        }
      }
      this._error = null;
    } catch (error) {
      this._error = asApiError(error);
    }
    if (!this.isDisposed) {
      this._setPace();
      this._changed.emit();
    }
  }

  /** The newest runs, and as many older ones as were asked for: all anew, since also they go on, or are removed. */
  private async _list(path: string | null): Promise<RunList> {
    let list = await this._api.runs(path);
    for (let page = 1; page < this._pages && list.older; page++) {
      const last = list.runs[list.runs.length - 1];
      const more = await this._api.runs(path, last.number);
      list = { ...more, runs: [...list.runs, ...more.runs] };
    }
    return list;
  }

  private _setPace(): void {
    const interval = this.isActive ? BUSY : IDLE;
    if (this._poll.frequency.interval !== interval) {
      this._poll.frequency = { ...this._poll.frequency, interval };
    }
  }

  private _onServerChange(_: IApi, project: string | null): void {
    const path = this._source.path ?? this._project;
    if (project === null || path === null || isWithin(path, project)) {
      void this.refresh();
    }
  }

  private _onPath(): void {
    this._pages = 1;
    void this.refresh();
  }

  private readonly _latest = new Latest(() => this._fetch());
  private readonly _poll: Poll;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _open = new Map<string, RunDetail | null>();
  private readonly _resuming = new Set<string>();
  private _runs: ReadonlyArray<Run> | null = null;
  private _pages = 1;
  private _hasOlder = false;
  private _project: string | null = null;
  private _error: ApiError | null = null;
}
