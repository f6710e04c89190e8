// The form that starts a job: a field per parameter, with the notebook's own defaults in them.
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { runJobIcon } from '../../framework/icons';
import { Button } from '../../framework/parts/Button';
import { counted } from '../../framework/parts/named';
import { Notice } from '../../framework/parts/Notice';
import { labelOf } from '../fields';
import type { Field, FieldValue } from '../fields';
import type { JobFormState } from '../jobForm';

export interface JobFormProps {
  trans: TranslationBundle;
  state: JobFormState;
  onChange: (name: string, value: FieldValue) => void;
  onSubmit: () => void;
  onClose: () => void;
}

export function JobFormView(props: JobFormProps): React.ReactElement {
  const { trans, state } = props;
  return (
    <form
      className="jp-mlops-form jp-mlops-jobForm"
      aria-label={trans.__('Run as job')}
      noValidate
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
      <div className="jp-mlops-fields">
        {state.fields.length === 0 && (
          <p className="jp-mlops-help">
            {trans.__(
              'This notebook has no parameters. To give it some, add the tag "parameters" to the cell that assigns them.'
            )}
          </p>
        )}
        {state.fields.map(field => (
          <FieldRow
            key={field.name}
            trans={trans}
            field={field}
            value={state.values[field.name]}
            problem={state.problems[field.name]}
            onChange={value => props.onChange(field.name, value)}
          />
        ))}
      </div>
      {state.error && (
        <Notice
          kind="error"
          message={state.error.message}
          hint={state.error.hint}
        />
      )}
      <div className="jp-mlops-form-buttons">
        <Button
          label={state.isBusy ? trans.__('Starting…') : trans.__('Start job')}
          icon={runJobIcon}
          kind="primary"
          submit
          disabled={state.isBusy}
        />
        <Button label={trans.__('Cancel')} onClick={props.onClose} />
      </div>
    </form>
  );
}

/** Whether its value can be long; else its input says enough of its type. */
function isWide(field: Field): boolean {
  return field.kind === 'text' || field.kind === 'json';
}

/** What it is and which values it takes. */
function helpOf(field: Field, trans: TranslationBundle): string {
  const left =
    field.left > 0 &&
    trans.__(
      'Leave it empty to use the default, which has %1 characters.',
      counted(field.left)
    );
  return [field.help, field.range, left].filter(Boolean).join(' · ');
}

interface FieldRowProps {
  trans: TranslationBundle;
  field: Field;
  value: FieldValue;
  problem: string | undefined;
  onChange: (value: FieldValue) => void;
}

function FieldRow(props: FieldRowProps): React.ReactElement {
  const { field, problem } = props;
  const help = helpOf(field, props.trans);
  const id = `jp-mlops-parameter-${field.name}`;
  return (
    <div className={`jp-mlops-field jp-mod-${field.kind}`}>
      <label htmlFor={id} title={field.type}>
        {field.name}
        {isWide(field) && <span className="jp-mlops-type">{field.type}</span>}
      </label>
      <FieldInput {...props} id={id} />
      {help && (
        <div className="jp-mlops-help" id={`${id}-help`}>
          {help}
        </div>
      )}
      {problem && (
        <div className="jp-mlops-problem" id={`${id}-problem`} role="alert">
          {problem}
        </div>
      )}
    </div>
  );
}

function FieldInput(props: FieldRowProps & { id: string }): React.ReactElement {
  const { trans, id, field, value, problem } = props;
  const described = [
    helpOf(field, trans) && `${id}-help`,
    problem && `${id}-problem`
  ];
  const shared = {
    id,
    name: field.name,
    className: 'jp-mlops-input',
    'aria-invalid': problem !== undefined,
    'aria-describedby': described.filter(Boolean).join(' ') || undefined
  };
  if (typeof value === 'boolean') {
    return (
      <input
        {...shared}
        type="checkbox"
        checked={value}
        onChange={event => props.onChange(event.target.checked)}
      />
    );
  }
  if (field.kind === 'choice') {
    const labels = field.choices.map(labelOf);
    const isChosen = field.choices.some(each => JSON.stringify(each) === value);
    return (
      <select
        {...shared}
        value={value}
        onChange={event => props.onChange(event.target.value)}
      >
        {!isChosen && <option value={value}>{field.placeholder}</option>}
        {field.choices.map((each, index) => (
          <option key={index} value={JSON.stringify(each)}>
            {labels[index]}
          </option>
        ))}
      </select>
    );
  }
  const isNumber = field.kind === 'integer' || field.kind === 'number';
  return (
    <input
      {...shared}
      type={isNumber ? 'number' : 'text'}
      step={field.kind === 'integer' ? 1 : 'any'}
      spellCheck={false}
      autoComplete="off"
      placeholder={
        field.optional && field.left === 0
          ? trans.__('None')
          : field.placeholder
      }
      value={value}
      onChange={event => props.onChange(event.target.value)}
    />
  );
}
