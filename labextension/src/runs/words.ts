// What a run that did not complete says of itself, and what to do about it.
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Run, RunFailure } from '../framework/wire';

/** One line on what went wrong; "" where nothing did. */
export function errorLine(run: Run, trans: TranslationBundle): string {
  const { error } = run;
  if (error === null) {
    return '';
  }
  if (run.status === 'canceled') {
    return canceledLine(error, trans);
  }
  const what = error.ename
    ? `${error.ename}${error.evalue ? `: ${error.evalue}` : ''}`
    : error.message;
  if (error.step) {
    return trans.__('Step %1: %2', error.step, what);
  }
  return error.cell_index === null
    ? what
    : trans.__('Cell %1: %2', error.cell_index + 1, what);
}

/** That a run was stopped is no error: where, and by whom where that is not the reader. */
function canceledLine(error: RunFailure, trans: TranslationBundle): string {
  const word = /\((.+)\)/.exec(error.message)?.[1] ?? '';
  const by = word === '' || word === 'as asked' ? '' : ` (${word})`;
  if (error.step) {
    return trans.__('Stopped in step %1%2.', error.step, by);
  }
  return error.cell_index === null
    ? trans.__('Stopped before its first cell%1.', by)
    : trans.__('Stopped in cell %1%2.', error.cell_index + 1, by);
}

/** The mend. */
export function errorHint(run: Run, trans: TranslationBundle): string {
  switch (run.error?.cause) {
    case 'cell_error':
      return run.output_path === null
        ? trans.__('Fix the cell, then resume with your edit.')
        : trans.__(
            'The output notebook shows the traceback. Fix the cell, then resume with your edit: steps it had finished are not executed again.'
          );
    case 'kernel_died':
      return trans.__(
        'It may have run out of memory. Finished steps are reused when you run the job again.'
      );
    case 'runner_lost':
      return trans.__(
        'Its process ended without an error message; .mlops/logs/%1.log may say why. Run the job again.',
        run.id
      );
    case 'not_started':
      return trans.__('The log .mlops/logs/%1.log says why.', run.id);
    default:
      return '';
  }
}
