// What a run that did not complete says of itself, and what to do about it.
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Run } from '../wire';

/** One line on what went wrong; "" where nothing did. */
export function errorLine(run: Run, trans: TranslationBundle): string {
  const { error } = run;
  if (error === null) {
    return '';
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

/** The mend. */
export function errorHint(run: Run, trans: TranslationBundle): string {
  switch (run.error?.cause) {
    case 'cell_error':
      return run.output_path === null
        ? trans.__('Mend the cell and run the job again.')
        : trans.__(
            'The output notebook shows the traceback. Finished steps are reused when you run the job again.'
          );
    case 'kernel_died':
      return trans.__(
        'Often the memory ran out. Finished steps are reused when you run the job again.'
      );
    case 'runner_lost':
      return trans.__(
        'Its process ended without a word; .mlops/logs/%1.log may say why. Run the job again.',
        run.id
      );
    case 'not_started':
      return trans.__('The log .mlops/logs/%1.log says why.', run.id);
    default:
      return '';
  }
}
