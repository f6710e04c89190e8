// The REST client: one method per route. It keeps no state and retries nothing; the models' polls do.
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { Event } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import type {
  Cell,
  Json,
  OpenedRun,
  PipelineStatus,
  Run,
  RunDetail,
  RunList,
  ScheduleDetail,
  ScheduleList,
  SchedulerStatus
} from '../wire';
import { asApiError, errorOfAnswer, errorOfSilence, isGeneral } from './errors';
import type { ApiError } from './errors';
import type { IApi, ScheduleAction, StatusBeside } from './tokens';

const ROUTES = 'jupyter-mlops';
export const CHANGED_SCHEMA = 'https://jupyter-mlops.org/events/changed/v1';
const RUN_LIMIT = 50;

/** How long a change waits for more of its kind before it is passed on, in milliseconds. */
const GATHER = 100;

export class RestApi implements IApi, IDisposable {
  constructor(options: RestApi.IOptions) {
    this._settings = options.serverSettings;
    this._trans = options.trans;
    this._events = options.events ?? null;
    this._events?.stream.connect(this._onEvent, this);
  }

  get changed(): ISignal<IApi, string | null> {
    return this._changed;
  }

  get problem(): ApiError | null {
    return this._problem;
  }

  get problemChanged(): ISignal<IApi, void> {
    return this._problemChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._timers.forEach(timer => window.clearTimeout(timer));
    this._timers.clear();
    this._events?.stream.disconnect(this._onEvent, this);
    Signal.clearData(this);
  }

  status(
    path: string,
    cells: Cell[],
    beside?: StatusBeside
  ): Promise<PipelineStatus> {
    return this._request('status', 'POST', {}, { path, cells, ...beside });
  }

  runs(path: string | null, before?: number): Promise<RunList> {
    const limit = String(RUN_LIMIT);
    const older = before === undefined ? null : String(before);
    return this._request('runs', 'GET', { path, limit, before: older });
  }

  run(id: string, path: string | null): Promise<RunDetail> {
    return this._request(URLExt.join('runs', encodeURIComponent(id)), 'GET', {
      path
    });
  }

  runUrl(id: string, path: string | null): string {
    const route = URLExt.join('runs', encodeURIComponent(id));
    return this._url(route, { path, whole: 'true' });
  }

  startRun(path: string, parameters: { [name: string]: Json }): Promise<Run> {
    return this._request('runs', 'POST', {}, { path, parameters });
  }

  cancelRun(id: string, path: string | null): Promise<Run> {
    const route = URLExt.join('runs', encodeURIComponent(id), 'cancel');
    return this._request(route, 'POST', {}, { path: path ?? '' });
  }

  resumeRun(id: string, path: string | null, withEdit = false): Promise<Run> {
    const route = URLExt.join('runs', encodeURIComponent(id), 'resume');
    const body = { path: path ?? '', with_edit: withEdit };
    return this._request(route, 'POST', {}, body);
  }

  openRun(id: string, path: string | null): Promise<OpenedRun> {
    const route = URLExt.join('runs', encodeURIComponent(id), 'open');
    return this._request(route, 'POST', {}, { path: path ?? '' });
  }

  schedules(path: string | null): Promise<ScheduleList> {
    return this._request('schedules', 'GET', { path });
  }

  schedule(number: number, path: string | null): Promise<ScheduleDetail> {
    return this._request(URLExt.join('schedules', String(number)), 'GET', {
      path
    });
  }

  steerSchedule(
    number: number,
    action: ScheduleAction,
    path: string | null
  ): Promise<ScheduleDetail> {
    const route = URLExt.join('schedules', String(number), action);
    return this._request(route, 'POST', {}, { path: path ?? '' });
  }

  runSchedule(number: number, path: string | null): Promise<Run> {
    const route = URLExt.join('schedules', String(number), 'run-now');
    return this._request(route, 'POST', {}, { path: path ?? '' });
  }

  startScheduler(path: string | null): Promise<SchedulerStatus> {
    return this._request('scheduler/start', 'POST', {}, { path: path ?? '' });
  }

  refresh(): void {
    this._changed.emit(null);
  }

  private async _request<T>(
    route: string,
    method: 'GET' | 'POST',
    query: { [name: string]: string | null },
    body?: unknown
  ): Promise<T> {
    try {
      const answer = await this._fetch<T>(route, method, query, body);
      this._setProblem(null);
      return answer;
    } catch (error) {
      const problem = asApiError(error);
      this._setProblem(isGeneral(problem) ? problem : null);
      throw problem;
    }
  }

  private async _fetch<T>(
    route: string,
    method: 'GET' | 'POST',
    query: { [name: string]: string | null },
    body: unknown
  ): Promise<T> {
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(
        this._url(route, query),
        {
          method,
          ...(body === undefined ? {} : { body: JSON.stringify(body) })
        },
        this._settings
      );
    } catch {
      throw errorOfSilence(this._trans);
    }
    const answer = await jsonOf(response);
    if (!response.ok || answer === undefined) {
      throw errorOfAnswer(response.status, answer, this._trans);
    }
    return answer as T;
  }

  private _url(
    route: string,
    query: { [name: string]: string | null }
  ): string {
    const given = Object.entries(query).filter(
      (pair): pair is [string, string] => pair[1] !== null
    );
    return (
      URLExt.join(this._settings.baseUrl, ROUTES, route) +
      (given.length > 0
        ? URLExt.objectToQueryString(Object.fromEntries(given))
        : '')
    );
  }

  private _setProblem(problem: ApiError | null): void {
    if (problem?.code !== this._problem?.code && !this._isDisposed) {
      this._problem = problem;
      this._problemChanged.emit();
    }
  }

  private _onEvent(_: Event.IManager, event: Event.Emission): void {
    const project = event['project'];
    if (event.schema_id !== CHANGED_SCHEMA || typeof project !== 'string') {
      return;
    }
    if (this._timers.has(project)) {
      return;
    }
    this._timers.set(
      project,
      window.setTimeout(() => {
        this._timers.delete(project);
        this._changed.emit(project);
      }, GATHER)
    );
  }

  private readonly _settings: ServerConnection.ISettings;
  private readonly _trans: TranslationBundle;
  private readonly _events: Event.IManager | null;
  private readonly _changed = new Signal<IApi, string | null>(this);
  private readonly _timers = new Map<string, number>();
  private readonly _problemChanged = new Signal<IApi, void>(this);
  private _problem: ApiError | null = null;
  private _isDisposed = false;
}

export namespace RestApi {
  export interface IOptions {
    serverSettings: ServerConnection.ISettings;
    trans: TranslationBundle;
    /** The stream of server events; without it `changed` is never emitted. */
    events?: Event.IManager;
  }
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return (await response.json()) as unknown;
  } catch {
    return undefined;
  }
}
