// Made from the dataclasses of jupyter_mlops by `python -m jupyter_mlops.server.framework.wire`.
// Change those and run it again; a test compares.

/** A value of JSON. */
export type Json =
  null | boolean | number | string | Json[] | { [key: string]: Json };

/** A number measured by a user's code: JSON has no word for the last three. */
export type Measured = number | 'nan' | 'inf' | '-inf';

/** A notebook cell as far as we care: `index` from 0 in the notebook, `kind` "code" | "markdown" | "raw". */
export interface Cell {
  index: number;
  id: string;
  kind: string;
  source: string;
  tags: string[];
}

/** One assignment of the `parameters` cell. */
export interface Parameter {
  name: string;
  type: string;
  default: Json;
  has_default: boolean;
  default_source: string;
  help: string;
  definition: string;
  base: string;
  choices: Json[];
  range: string;
  typed_by_default: boolean;
  left_out: number;
}

/** What the panel and `status` say of a step as its notebook stands now. */
export type StepState =
  | 'fresh'
  | 'stale'
  | 'running'
  | 'failed'
  | 'canceled'
  | 'never_run'
  | 'completed'
  | 'reused';

/** What is not shown of one field: so many of its `items`, so many characters `unread`, in which others may be. */
export interface LeftOut {
  items: number;
  unread: number;
  texts: { [key: string]: number };
}

/** A step in pipeline order: its state, the reason in one line, and its figures. */
export interface StepStatus {
  name: string;
  cell_id: string;
  cell_index: number;
  state: StepState;
  reason: string;
  upstream: string[];
  version: number | null;
  reused: boolean;
  duration: number | null;
  metrics: { [key: string]: Measured };
  ended_at: string | null;
  run_number: number | null;
  label: string;
  computed: number | null;
  named: boolean;
  here: boolean;
  always: boolean;
  left_out: { [key: string]: LeftOut };
}

/** Something wrong in the notebook that the author should mend. */
export interface Problem {
  message: string;
  hint: string;
  cell_id: string | null;
}

/** All that the panel shows of the open notebook. */
export interface PipelineStatus {
  notebook: string;
  steps: StepStatus[];
  parameters: Parameter[];
  problems: Problem[];
  in_view: string;
  run_number: number | null;
  source: string | null;
  captured: boolean;
  hidden: number;
}

/** What a run is: asked for as a job (papermill, the queue), made by a schedule, or a live kernel's session. */
export type RunKind = 'job' | 'session' | 'schedule';

/** How far a Run or a StepRun has come. */
export type Status =
  | 'pending'
  | 'running'
  | 'completed'
  | 'failed'
  | 'canceled'
  | 'lost'
  | 'reused';

/** Why a run did not complete: which cell (index from 0 in the executed notebook), which exception or cause. */
export interface RunFailure {
  cause: string;
  message: string;
  cell_index: number | null;
  step: string | null;
  ename: string;
  evalue: string;
  signal: string;
  exit_code: number | null;
}

/** How far a running Run is: code cells finished of all, and the step that runs now. */
export interface Progress {
  cells_done: number;
  cells_total: number;
  step: string | null;
}

/** How a run is to be executed, fixed when it is asked for. */
export interface RunOptions {
  given: { [key: string]: Json };
  sources: { [key: string]: string };
  output: string | null;
  force: string | null;
  first: string | null;
  last: string | null;
  only: string | null;
  run_seconds: number | null;
  cell_seconds: number | null;
  memory: number | null;
  workers: number;
  kernel: string;
  attempts: number;
  most_at_once: number | null;
  modules: { [key: string]: string };
  notify: string[];
  one_at_a_time: boolean;
}

/** Where MLflow is told of a run, fixed when it is made; an empty text leaves it to the project. */
export interface TrackedAt {
  uri: string;
  experiment: string;
  experiment_id: string;
}

/** Why a schedule made a run: its time had come, someone asked, or what a trigger waits for. */
export type CauseKind = 'time' | 'manual' | 'file' | 'run' | 'rows';

/** Why a schedule made a run: `at` is the fire time in ISO 8601, `detail` what else is known of it. */
export interface RunCause {
  kind: CauseKind;
  at: string;
  key: string;
  detail: { [key: string]: Json };
}

/** One execution of a pipeline. */
export interface Run {
  id: string;
  number: number;
  kind: RunKind;
  notebook: string;
  status: Status;
  parameters: { [key: string]: Json };
  metrics: { [key: string]: Measured };
  tags: { [key: string]: string };
  notebook_object: string | null;
  environment: string | null;
  output_path: string | null;
  error: RunFailure | null;
  progress: Progress;
  schedule_id: string | null;
  mlflow_run_id: string | null;
  steps_executed: number;
  steps_reused: number;
  pid: number | null;
  pid_started: number | null;
  created_at: string | null;
  started_at: string | null;
  ended_at: string | null;
  options: RunOptions;
  priority: number;
  attempt: number;
  worker_id: string | null;
  lease_until: string | null;
  resumes: string | null;
  kernel_name: string | null;
  tracked_at: TrackedAt;
  asked_as: string | null;
  host: string | null;
  stop: string;
  changed_sources: string[];
  in_shared_process: boolean;
  kernel_gone: boolean;
  cause: RunCause | null;
  left_out: { [key: string]: LeftOut };
}

/** Answer of `GET runs`: newest first. `project` is the contents path of the project's folder, if it has one. */
export interface RunList {
  runs: Run[];
  project: string | null;
  older: boolean;
}

/** A name that a step may have read: the digest of its value and what had bound it. */
export interface StepInput {
  digest: string;
  producer: string;
}

/** What must still hold, beyond the key, for a result to be reused: found out while the step ran. */
export interface Conditions {
  files: { [key: string]: string };
  folder: string;
  random_before: { [key: string]: string };
  shapes: { [key: string]: string };
  together: { [key: string]: string } | null;
}

/** One execution or reuse of one StepVersion in a Run. */
export interface StepRun {
  id: string;
  run_id: string;
  notebook: string;
  step: string;
  version: number;
  version_digest: string;
  position: number;
  status: Status;
  key: string;
  inputs: { [key: string]: StepInput };
  outputs: { [key: string]: string };
  ingredients: { [key: string]: string };
  conditions: Conditions;
  unrepeatable: string;
  result: string | null;
  display: string | null;
  reused_from: string | null;
  metrics: { [key: string]: Measured };
  error: string;
  why: string | null;
  duration: number | null;
  started_at: string | null;
  ended_at: string | null;
  cell_id: string | null;
  pid: number | null;
  pid_started: number | null;
  extra: { [key: string]: Json };
  known: { [key: string]: Json };
  effects: { [key: string]: Json };
  files: { [key: string]: string };
}

/** A step run of which only the beginnings of texts and the first of its metrics are there. */
export interface ListedStepRun extends StepRun {
  left_out: { [key: string]: LeftOut };
  label: string;
  computed: number | null;
}

/** Answer of `GET runs/{id}`: the run and its step runs in the order they began. */
export interface RunDetail extends Run {
  step_runs: ListedStepRun[];
}

/** Answer of `POST runs/{id}/open`: the contents path of the notebook made, and the place of the cell to look at. */
export interface OpenedRun {
  path: string;
  cell_index: number;
}

/** When a schedule fires: by `cron`, five fields read in `timezone` (an IANA name), or `every` so many seconds. */
export interface Timing {
  cron: string;
  timezone: string;
  every: number | null;
  start_at: string | null;
  end_at: string | null;
  jitter: number;
}

/** Which of the fire times run that passed while no scheduler was running. */
export type Missed = 'skip' | 'latest' | 'all';

/** What happens while an earlier run goes on: this fire time is skipped, its run waits, or the earlier is canceled. */
export type Overlap = 'skip' | 'queue' | 'cancel';

/** What becomes of fire times that were missed or overlap, and of runs that fail. */
export interface Policy {
  missed: Missed;
  horizon: number;
  overlap: Overlap;
  retries: number;
  retry_delay: number;
}

/** What a schedule waits for in place of a time: a file that comes or changes, an ended run, a value in a database. */
export type TriggerKind = 'file' | 'run' | 'rows';

/** How the run has to end that a schedule waits for. */
export type EndedAs = 'success' | 'failure' | 'any';

/** What a schedule waits for in place of a time. */
export interface Trigger {
  kind: TriggerKind;
  pattern: string;
  settle: number;
  schedule_id: string;
  schedule_number: number;
  ended: EndedAs;
  url: string;
  query: string;
}

/** A notebook that runs at set times. */
export interface Schedule {
  id: string;
  number: number;
  notebook: string;
  timing: Timing;
  parameters: { [key: string]: Json };
  created_at: string | null;
  notify: string[];
  templates: { [key: string]: string };
  policy: Policy;
  options: RunOptions;
  notebook_object: string | null;
  kernel_name: string | null;
  paused_at: string | null;
  decided_until: string | null;
  next_fire_at: string | null;
  due_at: string | null;
  trigger: Trigger | null;
  trouble: string;
}

/** One fire time of a schedule: unique per (schedule, fire time). `status`: claimed | started | skipped | failed. */
export interface Fire {
  schedule_id: string;
  fire_at: string;
  status: string;
  run_id: string | null;
  note: string;
  cause: RunCause;
  attempt: number;
}

/** A Schedule as it is listed: with its next fire times, and what came of the last one taken. */
export interface ScheduleView extends Schedule {
  fires_next: string[];
  last_fire: Fire | null;
  notebook_changed: boolean;
  left_out: { [key: string]: LeftOut };
}

/** Whether a scheduler is alive to fire schedules, and where it was last seen. */
export interface SchedulerStatus {
  alive: boolean;
  beat_at: string | null;
  host: string | null;
}

/** Answer of `GET schedules`. */
export interface ScheduleList {
  schedules: ScheduleView[];
  scheduler: SchedulerStatus;
}

/** A Schedule as one looks at it: with what came of its last fire times, the newest first. */
export interface ScheduleDetail extends ScheduleView {
  fires: Fire[];
}

/** Answer of any route that could not do what was asked: `hint` says what to do next. */
export interface ErrorAnswer {
  code: string;
  message: string;
  hint: string;
}

/** Data of the event that something in a project changed. What lies in the folder `project` may be affected. */
export interface Changed {
  project: string;
  token: string;
}
