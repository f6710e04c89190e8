// The seam to the server: everything the models may ask of it, and the signal that something changed there.
import { Token } from '@lumino/coreutils';
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
import type { ApiError } from './errors';

/** What a notebook has besides its cells: the id of its kernel, and what papermill noted in its metadata. */
export interface StatusBeside {
  kernel: string | null;
  papermill: Json;
}

/** What can be done to a schedule. */
export type ScheduleAction = 'pause' | 'resume' | 'remove';

/** Paths are those of the contents manager; `null` asks for the project of the server's root folder. */
export interface IApi {
  /** Whose steps the answer shows follows from what stands `beside` the cells. */
  status(
    path: string,
    cells: Cell[],
    beside?: StatusBeside
  ): Promise<PipelineStatus>;
  /** The newest runs, or those older than the run with the number `before`. */
  runs(path: string | null, before?: number): Promise<RunList>;
  run(id: string, path: string | null): Promise<RunDetail>;
  /** The address of all that is known of a run, which may be much. */
  runUrl(id: string, path: string | null): string;
  startRun(path: string, parameters: { [name: string]: Json }): Promise<Run>;
  cancelRun(id: string, path: string | null): Promise<Run>;
  /** Asks for a run that continues this one, with the notebook as it was or as it is now; answers the new one. */
  resumeRun(id: string, path: string | null, withEdit?: boolean): Promise<Run>;
  /** Makes a notebook at the cell where a run failed. */
  openRun(id: string, path: string | null): Promise<OpenedRun>;
  schedules(path: string | null): Promise<ScheduleList>;
  schedule(number: number, path: string | null): Promise<ScheduleDetail>;
  steerSchedule(
    number: number,
    action: ScheduleAction,
    path: string | null
  ): Promise<ScheduleDetail>;
  /** Puts a run of the schedule into the queue at once. */
  runSchedule(number: number, path: string | null): Promise<Run>;
  /** Starts a scheduler in the background, where none is alive. */
  startScheduler(path: string | null): Promise<SchedulerStatus>;

  /** Emitted with the contents path of a project in which something changed; null: look at everything again. */
  readonly changed: ISignal<IApi, string | null>;
  /** Makes every listener of `changed` look again. */
  refresh(): void;

  /** Why nothing at all can be had from the server now, or null: not there, not ours, not allowed. */
  readonly problem: ApiError | null;
  readonly problemChanged: ISignal<IApi, void>;
}

export const IApi = new Token<IApi>(
  'jupyter-mlops:IApi',
  'The REST routes and change events of the jupyter-mlops server extension.'
);
