// A message with its mend: errors, problems in a notebook, hints.
import * as React from 'react';

export interface NoticeProps {
  kind: 'error' | 'warning' | 'info';
  message: string;
  hint?: string;
  children?: React.ReactNode;
}

export function Notice(props: NoticeProps): React.ReactElement {
  return (
    <div
      className={`jp-mlops-notice jp-mod-${props.kind}`}
      role={props.kind === 'error' ? 'alert' : 'status'}
    >
      <div className="jp-mlops-notice-message">{props.message}</div>
      {props.hint && <div className="jp-mlops-notice-hint">{props.hint}</div>}
      {props.children && (
        <div className="jp-mlops-notice-actions">{props.children}</div>
      )}
    </div>
  );
}
