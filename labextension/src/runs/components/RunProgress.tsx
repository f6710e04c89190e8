// How far a waiting or running run is: a bar, the cells, the step that runs now.
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Run } from '../../framework/wire';

export interface RunProgressProps {
  trans: TranslationBundle;
  run: Run;
}

export function RunProgress(props: RunProgressProps): React.ReactElement {
  const { trans, run } = props;
  const { cells_done: done, cells_total: total, step } = run.progress;
  const cells =
    total === 0
      ? run.status === 'pending'
        ? trans.__('Waiting for its process to start')
        : trans.__('Starting the kernel')
      : trans.__('%1 of %2 cells', done, total);
  return (
    <div className="jp-mlops-progress">
      <div
        className={`jp-mlops-bar${total === 0 ? ' jp-mod-indeterminate' : ''}`}
        role="progressbar"
        aria-label={trans.__('Progress of run %1', run.number)}
        aria-valuemin={0}
        aria-valuemax={total || undefined}
        aria-valuenow={total ? done : undefined}
        aria-valuetext={cells}
      >
        <div
          style={{ width: total ? `${(100 * done) / total}%` : undefined }}
        />
      </div>
      <span className="jp-mlops-dim">
        {step ? trans.__('%1 · step %2', cells, step) : cells}
      </span>
    </div>
  );
}
