// The panel's header: the notebook's name, a button per action, and the one message that concerns all sections.
import type { TranslationBundle } from '@jupyterlab/translation';
import { notebookIcon, refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';
import type { ApiError } from '../../api/errors';
import { Button, IconButton } from '../../parts/Button';
import { Notice } from '../../parts/Notice';

export interface HeaderAction {
  id: string;
  label: string;
  caption: string;
  enabled: boolean;
  primary: boolean;
  onClick: () => void;
}

export interface HeaderProps {
  trans: TranslationBundle;
  /** Name of the current notebook, or null where none is open. */
  notebook: string | null;
  path: string;
  problem: ApiError | null;
  actions: ReadonlyArray<HeaderAction>;
  onRefresh: () => void;
}

export function Header(props: HeaderProps): React.ReactElement {
  const { trans, notebook, problem } = props;
  return (
    <>
      <div className="jp-mlops-title">
        <notebookIcon.react tag="span" className="jp-mlops-icon" />
        <h2 title={props.path}>
          {notebook ?? (
            <span className="jp-mlops-dim">{trans.__('No notebook open')}</span>
          )}
        </h2>
        <IconButton
          label={trans.__('Refresh')}
          icon={refreshIcon}
          onClick={props.onRefresh}
        />
      </div>
      {props.actions.length > 0 && (
        <div className="jp-mlops-actions">
          {props.actions.map(action => (
            <Button
              key={action.id}
              label={action.label}
              title={action.caption}
              kind={action.primary ? 'primary' : 'plain'}
              disabled={!action.enabled}
              onClick={action.onClick}
            />
          ))}
        </div>
      )}
      {problem && (
        <Notice kind="error" message={problem.message} hint={problem.hint}>
          <Button label={trans.__('Try again')} onClick={props.onRefresh} />
        </Notice>
      )}
    </>
  );
}
