// Which of a run's many facts are worth a place in its row.
import type { TranslationBundle } from '@jupyterlab/translation';
import { shownParameters } from '../framework/parts/named';
import type { Shown } from '../framework/parts/named';
import type { Run } from '../framework/wire';

/** Whether it is a kernel that someone works in: it runs as long as the kernel lives and has no progress. */
export function isLive(run: Run): boolean {
  return run.kind === 'session' && run.status === 'running';
}

/** Whether a job waits or works. */
export function isActive(run: Run): boolean {
  return (run.status === 'pending' || run.status === 'running') && !isLive(run);
}

/** Whether a run ended without completing, and no other continues it. */
export function isResumable(run: Run, runs: ReadonlyArray<Run>): boolean {
  return (
    ['failed', 'canceled', 'lost'].includes(run.status) &&
    run.kind !== 'session' &&
    !runs.some(other => other.resumes === run.id)
  );
}

/** Whether a run failed at a cell, so that there is one to look at. */
export function isOpenable(run: Run): boolean {
  return run.status === 'failed' && run.error?.cause === 'cell_error';
}

/** The parameters in which runs of the same notebook differ: they tell a run from its neighbours. */
export function tellingParametersOf(
  run: Run,
  runs: ReadonlyArray<Run>,
  trans: TranslationBundle
): Shown {
  const others = runs
    .filter(other => other.notebook === run.notebook && other.id !== run.id)
    .map(other => new Map(shownParameters(other, trans).values));
  const { values, left } = shownParameters(run, trans);
  const telling = values.filter(([name, text]) =>
    others.some(other => other.has(name) && other.get(name) !== text)
  );
  return { values: telling, left: telling.length > 0 ? left : null };
}
