// Stand-ins for the two seams: a notebook that is a list of cells, a server that answers what it is told to.
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import type { ApiError } from '../src/framework/api/errors';
import type {
  IApi,
  ScheduleAction,
  StatusBeside
} from '../src/framework/api/tokens';
import type { IPathSource } from '../src/framework/notebook/currentPath';
import type { INotebookSource } from '../src/framework/notebook/source';
import type {
  Cell,
  Json,
  OpenedRun,
  Parameter,
  PipelineStatus,
  Run,
  RunDetail,
  RunList,
  ScheduleDetail,
  ScheduleList,
  SchedulerStatus,
  StepStatus
} from '../src/framework/wire';

export const trans = nullTranslator.load('jupyter-mlops');

export function cell(values: Partial<Cell> = {}): Cell {
  return { index: 0, id: 'a', kind: 'code', source: '', tags: [], ...values };
}

export function step(values: Partial<StepStatus> = {}): StepStatus {
  return {
    name: 'train',
    cell_id: 'a',
    cell_index: 0,
    state: 'fresh',
    reason: '',
    upstream: [],
    version: 1,
    reused: false,
    duration: 1.25,
    metrics: {},
    ended_at: null,
    run_number: 1,
    label: '',
    computed: null,
    named: true,
    here: true,
    always: false,
    left_out: {},
    ...values
  };
}

export function status(values: Partial<PipelineStatus> = {}): PipelineStatus {
  return {
    notebook: 'nb.ipynb',
    steps: [],
    parameters: [],
    problems: [],
    in_view: 'kernel',
    run_number: null,
    source: null,
    captured: false,
    hidden: 0,
    ...values
  };
}

export function parameter(values: Partial<Parameter> = {}): Parameter {
  return {
    name: 'rate',
    type: 'float',
    default: 0.5,
    has_default: true,
    default_source: '0.5',
    help: '',
    definition: '',
    base: '',
    choices: [],
    range: '',
    typed_by_default: false,
    left_out: 0,
    ...values
  };
}

export function run(values: Partial<Run> = {}): Run {
  return {
    id: 'r1',
    number: 1,
    kind: 'job',
    notebook: 'nb.ipynb',
    status: 'completed',
    parameters: {},
    metrics: {},
    tags: {},
    notebook_object: null,
    environment: null,
    output_path: null,
    error: null,
    progress: { cells_done: 0, cells_total: 0, step: null },
    schedule_id: null,
    mlflow_run_id: null,
    steps_executed: 0,
    steps_reused: 0,
    pid: null,
    pid_started: null,
    created_at: '2026-01-01T00:00:00+00:00',
    started_at: '2026-01-01T00:00:00+00:00',
    ended_at: '2026-01-01T00:00:12+00:00',
    options: {
      given: {},
      sources: {},
      output: null,
      force: null,
      first: null,
      last: null,
      only: null,
      run_seconds: null,
      cell_seconds: null,
      memory: null,
      workers: 1,
      kernel: 'auto',
      attempts: 3,
      most_at_once: null,
      modules: {},
      notify: [],
      one_at_a_time: false
    },
    priority: 0,
    attempt: 0,
    worker_id: null,
    lease_until: null,
    resumes: null,
    kernel_name: 'python3',
    tracked_at: { uri: '', experiment: '', experiment_id: '' },
    asked_as: null,
    host: null,
    stop: '',
    changed_sources: [],
    in_shared_process: false,
    kernel_gone: false,
    cause: null,
    left_out: {},
    ...values
  };
}

export class FakeNotebook implements INotebookSource {
  constructor(public list: Cell[] = []) {}

  path = 'project/nb.ipynb';
  language: string | null = 'python';
  isReady = true;
  ready = Promise.resolve();
  kernel: string | null = null;
  papermill: Json = null;
  isVisible = true;
  isDisposed = false;
  active = 0;
  saved = 0;
  revealed: string[] = [];
  readonly cellsChanged: Signal<INotebookSource, void> = new Signal(this);
  readonly executed: Signal<INotebookSource, void> = new Signal(this);
  readonly identityChanged: Signal<INotebookSource, void> = new Signal(this);
  readonly activeCellChanged: Signal<INotebookSource, void> = new Signal(this);
  readonly disposed: Signal<this, void> = new Signal(this);

  get name(): string {
    return this.path.split('/').pop() ?? '';
  }

  get activeCell(): Cell | null {
    return this.list[this.active] ?? null;
  }

  cells(): Cell[] {
    return this.list;
  }

  setTags(cellId: string, tags: string[]): void {
    this.list = this.list.map(each =>
      each.id === cellId ? { ...each, tags } : each
    );
  }

  insertOnTop(source: string): void {
    this.list = [cell({ id: 'top', source }), ...this.list];
  }

  reveal(cellId: string): Promise<boolean> {
    this.revealed.push(cellId);
    return Promise.resolve(true);
  }

  save(): Promise<void> {
    this.saved += 1;
    return Promise.resolve();
  }

  dispose(): void {
    this.isDisposed = true;
    this.disposed.emit();
  }
}

export class FakeApi implements IApi {
  answer = status();
  runList: RunList = { runs: [], project: 'project', older: false };
  olderList: RunList = { runs: [], project: 'project', older: false };
  scheduleList: ScheduleList = {
    schedules: [],
    scheduler: { alive: false, beat_at: null, host: null }
  };
  error: ApiError | null = null;
  problem: ApiError | null = null;
  /** What stood beside the cells that were asked about last. */
  beside: StatusBeside | null = null;
  /** What was asked, in order. */
  asked: string[] = [];
  started: Array<{ path: string; parameters: { [name: string]: Json } }> = [];
  /** Holds back the answers until it resolves. */
  gate: Promise<void> = Promise.resolve();
  readonly changed: Signal<IApi, string | null> = new Signal(this);
  readonly problemChanged: Signal<IApi, void> = new Signal(this);

  refresh(): void {
    this.changed.emit(null);
  }

  status(
    path: string,
    cells: Cell[],
    beside?: StatusBeside
  ): Promise<PipelineStatus> {
    this.beside = beside ?? null;
    return this._reply(`status ${path} ${cells.length}`, () => this.answer);
  }

  runs(path: string | null, before?: number): Promise<RunList> {
    const asked = before === undefined ? '' : ` before ${before}`;
    return this._reply(`runs ${path}${asked}`, () =>
      before === undefined ? this.runList : this.olderList
    );
  }

  run(id: string): Promise<RunDetail> {
    const found = this.runList.runs.find(each => each.id === id) ?? run({ id });
    return this._reply(`run ${id}`, () => ({ ...found, step_runs: [] }));
  }

  runUrl(id: string, path: string | null): string {
    return `whole ${path} ${id}`;
  }

  startRun(path: string, parameters: { [name: string]: Json }): Promise<Run> {
    return this._reply(`start ${path}`, () => {
      this.started.push({ path, parameters });
      return this._add({});
    });
  }

  cancelRun(id: string): Promise<Run> {
    return this._reply(`cancel ${id}`, () => run({ id, status: 'canceled' }));
  }

  resumeRun(id: string, _: string | null, withEdit?: boolean): Promise<Run> {
    const how = withEdit ? ' with edit' : '';
    return this._reply(`resume ${id}${how}`, () => this._add({ resumes: id }));
  }

  openRun(id: string): Promise<OpenedRun> {
    return this._reply(`open ${id}`, () => ({
      path: 'project/nb-run1.ipynb',
      cell_index: 1
    }));
  }

  schedules(path: string | null): Promise<ScheduleList> {
    return this._reply(`schedules ${path}`, () => this.scheduleList);
  }

  schedule(number: number): Promise<ScheduleDetail> {
    return this._reply(`schedule ${number}`, () => ({
      ...this.scheduleList.schedules.find(each => each.number === number)!,
      fires: []
    }));
  }

  async steerSchedule(
    number: number,
    action: ScheduleAction
  ): Promise<ScheduleDetail> {
    const found = await this.schedule(number);
    return this._reply(`${action} schedule ${number}`, () => found);
  }

  runSchedule(number: number): Promise<Run> {
    return this._reply(`run schedule ${number}`, () =>
      this._add({ kind: 'schedule' })
    );
  }

  startScheduler(path: string | null): Promise<SchedulerStatus> {
    return this._reply(`start scheduler ${path}`, () => {
      const scheduler = { alive: true, beat_at: null, host: 'here' };
      this.scheduleList = { ...this.scheduleList, scheduler };
      return scheduler;
    });
  }

  private _add(values: Partial<Run>): Run {
    const made = run({ id: 'new', number: 2, status: 'pending', ...values });
    this.runList = { ...this.runList, runs: [made, ...this.runList.runs] };
    return made;
  }

  private async _reply<T>(question: string, answer: () => T): Promise<T> {
    this.asked.push(question);
    await this.gate;
    if (this.error) {
      throw this.error;
    }
    return answer();
  }
}

export class FakePath implements IPathSource {
  constructor(public path: string | null = 'project/nb.ipynb') {}
  readonly pathChanged: Signal<IPathSource, void> = new Signal(this);
}

/** Lets everything that is waiting for a promise go on. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await Promise.resolve();
  }
}
