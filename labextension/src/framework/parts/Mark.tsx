// The sign of a state or status: an icon whose colour only repeats what the word beside it says.
import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

export function Mark(props: {
  icon: LabIcon;
  state: string;
}): React.ReactElement {
  return (
    <span className="jp-mlops-mark" data-state={props.state} aria-hidden="true">
      <props.icon.react tag="span" className="jp-mlops-icon" />
    </span>
  );
}
