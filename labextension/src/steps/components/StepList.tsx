// The steps of a notebook in pipeline order, with what is wrong in the notebook above them.
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { Button } from '../../framework/parts/Button';
import { Notice } from '../../framework/parts/Notice';
import type { Problem, StepStatus } from '../../framework/wire';
import { StepRow, labelOf } from './StepRow';

export interface StepListProps {
  trans: TranslationBundle;
  steps: ReadonlyArray<StepStatus>;
  problems: ReadonlyArray<Problem>;
  /** How many of the notebook's cells no one named, and whether they are among the steps. */
  unnamed: number;
  showsUnnamed: boolean;
  activeCellId: string | null;
  now: Date;
  onJump: (cellId: string) => void;
  onToggleUnnamed: () => void;
}

export function StepList(props: StepListProps): React.ReactElement {
  const { trans, steps, problems } = props;
  const labels = new Map(steps.map(step => [step.name, labelOf(step)]));
  return (
    <>
      {problems.map((problem, index) => (
        <Notice
          key={index}
          kind="warning"
          message={problem.message}
          hint={problem.hint}
        >
          {problem.cell_id !== null && (
            <Button
              label={trans.__('Show the cell')}
              onClick={() => props.onJump(problem.cell_id ?? '')}
            />
          )}
        </Notice>
      ))}
      <ol
        className="jp-mlops-list"
        aria-label={trans.__('Steps in pipeline order')}
      >
        {steps.map(step => (
          <StepRow
            key={step.cell_id}
            trans={trans}
            step={step}
            upstream={step.upstream.flatMap(name => labels.get(name) ?? [])}
            now={props.now}
            active={step.cell_id === props.activeCellId}
            onJump={({ cell_id }) => props.onJump(cell_id)}
          />
        ))}
      </ol>
      {props.unnamed > 0 && steps.some(step => step.named) && (
        <button
          type="button"
          className="jp-mlops-more"
          onClick={props.onToggleUnnamed}
        >
          {props.showsUnnamed
            ? trans.__('Hide cells without a name')
            : trans._n(
                'Show 1 cell without a name',
                'Show %1 cells without a name',
                props.unnamed
              )}
        </button>
      )}
    </>
  );
}
