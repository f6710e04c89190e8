// The panel's buttons: with a word, or an icon alone that then has a label for those who do not see it.
import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

export interface ButtonProps {
  label: string;
  icon?: LabIcon;
  kind?: 'primary' | 'plain' | 'danger';
  title?: string;
  disabled?: boolean;
  submit?: boolean;
  onClick?: () => void;
}

export function Button(props: ButtonProps): React.ReactElement {
  return (
    <button
      type={props.submit ? 'submit' : 'button'}
      className={`jp-mlops-button jp-mod-${props.kind ?? 'plain'}`}
      title={props.title}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      {props.icon && <props.icon.react tag="span" className="jp-mlops-icon" />}
      <span>{props.label}</span>
    </button>
  );
}

export interface IconButtonProps {
  label: string;
  icon: LabIcon;
  /** The tooltip, where it says more than the label. */
  title?: string;
  onClick: () => void;
  disabled?: boolean;
}

export function IconButton(props: IconButtonProps): React.ReactElement {
  return (
    <button
      type="button"
      className="jp-mlops-iconButton"
      aria-label={props.label}
      title={props.title ?? props.label}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <props.icon.react tag="span" className="jp-mlops-icon" />
    </button>
  );
}
