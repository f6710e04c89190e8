// The schedules of the current project, and whether a scheduler is alive to run them.
import type { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import { asApiError } from '../framework/api/errors';
import type { ApiError } from '../framework/api/errors';
import { Latest } from '../framework/api/latest';
import type { IApi, ScheduleAction } from '../framework/api/tokens';
import type { IPathSource } from '../framework/notebook/currentPath';
import type { Run, ScheduleList } from '../framework/wire';

const INTERVAL = 20_000;
const MAX_INTERVAL = 300_000;

export class Schedules implements IDisposable {
  constructor(
    private readonly _api: IApi,
    private readonly _source: IPathSource
  ) {
    this._poll = new Poll({
      name: 'jupyter-mlops:schedules',
      frequency: { interval: INTERVAL, max: MAX_INTERVAL, backoff: true },
      standby: 'when-hidden',
      factory: async () => {
        await this.refresh();
        if (this._error) {
          // Rejecting is how a poll learns to wait longer.
          throw this._error;
        }
      }
    });
    _api.changed.connect(this._look, this);
    _source.pathChanged.connect(this._look, this);
  }

  /** Null until the first answer. */
  get list(): ScheduleList | null {
    return this._list;
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

  /** Asks the server again. Never rejects: what went wrong is in `error`. */
  refresh(): Promise<void> {
    return this._latest.run();
  }

  /** Whether something asked of a schedule, or of the scheduler (0), has not been answered yet. */
  isBusy(number: number): boolean {
    return this._busy.has(number);
  }

  /** Pauses, resumes or removes a schedule. Rejects with an `ApiError`. */
  async steer(number: number, action: ScheduleAction): Promise<void> {
    await this._ask(number, () =>
      this._api.steerSchedule(number, action, this._source.path)
    );
  }

  /** Puts a run of a schedule into the queue. Rejects with an `ApiError`. */
  async runNow(number: number): Promise<Run> {
    const made = await this._ask(number, () =>
      this._api.runSchedule(number, this._source.path)
    );
    this._api.refresh();
    return made;
  }

  /** Starts a scheduler in the background. Rejects with an `ApiError`. */
  async startScheduler(): Promise<void> {
    await this._ask(0, () => this._api.startScheduler(this._source.path));
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._poll.dispose();
    Signal.disconnectReceiver(this);
    Signal.clearData(this);
  }

  private async _ask<T>(number: number, ask: () => Promise<T>): Promise<T> {
    this._busy.add(number);
    this._changed.emit();
    try {
      return await ask();
    } catch (error) {
      throw asApiError(error);
    } finally {
      this._busy.delete(number);
      await this.refresh();
      this._changed.emit();
    }
  }

  private async _fetch(): Promise<void> {
    try {
      this._list = await this._api.schedules(this._source.path);
      this._error = null;
    } catch (error) {
      this._error = asApiError(error);
    }
    if (!this.isDisposed) {
      this._changed.emit();
    }
  }

  private _look(): void {
    void this.refresh();
  }

  private readonly _latest = new Latest(() => this._fetch());
  private readonly _poll: Poll;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _busy = new Set<number>();
  private _list: ScheduleList | null = null;
  private _error: ApiError | null = null;
}
