// The small form that gives the active cell its step name, or takes it away.
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { Button } from '../../framework/parts/Button';
import { Notice } from '../../framework/parts/Notice';
import type { MarkFormState } from '../markForm';
import { STEP_MAGIC } from '../name';

export interface MarkFormProps {
  trans: TranslationBundle;
  state: MarkFormState;
  onName: (name: string) => void;
  onSubmit: () => void;
  onRemove: () => void;
  onClose: () => void;
}

export function MarkFormView(props: MarkFormProps): React.ReactElement {
  const { trans, state } = props;
  if (state.mark?.by === 'magic') {
    return (
      <div className="jp-mlops-form">
        <Notice
          kind="info"
          message={trans.__(
            'The first line of this cell makes it step "%1".',
            state.mark.name
          )}
          hint={trans.__(
            'Change the name after %1 in the cell, or remove that line.',
            STEP_MAGIC
          )}
        >
          <Button label={trans.__('Close')} onClick={props.onClose} />
        </Notice>
      </div>
    );
  }
  return (
    <form
      className="jp-mlops-form"
      aria-label={trans.__('Mark cell as step')}
      onSubmit={event => {
        event.preventDefault();
        props.onSubmit();
      }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          props.onClose();
        }
      }}
    >
      <NameField {...props} />
      <div className="jp-mlops-form-buttons">
        <Button
          label={state.mark ? trans.__('Rename') : trans.__('Mark as step')}
          kind="primary"
          submit
        />
        {state.mark && (
          <Button label={trans.__('Remove mark')} onClick={props.onRemove} />
        )}
        <Button label={trans.__('Cancel')} onClick={props.onClose} />
      </div>
    </form>
  );
}

function NameField(props: MarkFormProps): React.ReactElement {
  const { trans, state } = props;
  return (
    <div className="jp-mlops-field">
      <label htmlFor="jp-mlops-step-name">
        {trans.__('Step name of cell %1', state.cell.index + 1)}
      </label>
      <input
        id="jp-mlops-step-name"
        className="jp-mlops-input"
        type="text"
        autoFocus
        autoComplete="off"
        spellCheck={false}
        placeholder={trans.__('train')}
        value={state.name}
        aria-invalid={state.problem !== null}
        aria-describedby="jp-mlops-step-name-help"
        onFocus={event => event.target.select()}
        onChange={event => props.onName(event.target.value)}
      />
      {state.problem === null ? (
        <div className="jp-mlops-help" id="jp-mlops-step-name-help">
          {trans.__('Stored as the cell tag step:%1', state.name || '…')}
        </div>
      ) : (
        <div
          className="jp-mlops-problem"
          id="jp-mlops-step-name-help"
          role="alert"
        >
          {state.problem}
        </div>
      )}
    </div>
  );
}
