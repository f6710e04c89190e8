// An empty state: what would be here, and the one action or command that fills it.
import * as React from 'react';

export interface EmptyProps {
  text: string;
  hint?: string;
  /** A command for a terminal, shown so that it can be selected and copied. */
  command?: string;
  children?: React.ReactNode;
}

export function Empty(props: EmptyProps): React.ReactElement {
  return (
    <div className="jp-mlops-empty">
      <p>{props.text}</p>
      {props.hint && <p className="jp-mlops-dim">{props.hint}</p>}
      {props.command && (
        <code className="jp-mlops-command">{props.command}</code>
      )}
      {props.children}
    </div>
  );
}
