// The runs of a project, newest first.
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { Run, RunDetail } from '../../framework/wire';
import { isResumable, tellingParametersOf } from '../shown';
import { RunRow } from './RunRow';

export interface RunListProps {
  trans: TranslationBundle;
  runs: ReadonlyArray<Run>;
  now: Date;
  isOpen: (id: string) => boolean;
  detail: (id: string) => RunDetail | null;
  isResuming: (id: string) => boolean;
  /** Where all of a run can be had. */
  wholeUrl: (id: string) => string;
  onToggle: (id: string) => void;
  onCancel: (id: string) => void;
  onResume: (id: string) => void;
  onResumeWithEdit: (id: string) => void;
  onOpenRun: (id: string) => void;
  onOpenOutput: (id: string) => void;
  /** Null where there are no older runs. */
  onShowOlder: (() => void) | null;
}

export function RunList(props: RunListProps): React.ReactElement {
  return (
    <>
      <ol
        className="jp-mlops-list"
        aria-label={props.trans.__('Runs, newest first')}
      >
        {props.runs.map(run => (
          <RunRow
            key={run.id}
            trans={props.trans}
            run={run}
            parameters={tellingParametersOf(run, props.runs, props.trans)}
            detail={props.detail(run.id)}
            isOpen={props.isOpen(run.id)}
            isResumable={isResumable(run, props.runs)}
            isResuming={props.isResuming(run.id)}
            wholeUrl={props.wholeUrl(run.id)}
            now={props.now}
            onToggle={props.onToggle}
            onCancel={props.onCancel}
            onResume={props.onResume}
            onResumeWithEdit={props.onResumeWithEdit}
            onOpenRun={props.onOpenRun}
            onOpenOutput={props.onOpenOutput}
          />
        ))}
      </ol>
      {props.onShowOlder && (
        <button
          type="button"
          className="jp-mlops-more"
          onClick={props.onShowOlder}
        >
          {props.trans.__('Show older runs')}
        </button>
      )}
    </>
  );
}
