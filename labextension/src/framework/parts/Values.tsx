// Named values: a few on a line, or all in a table.
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { LeftOut } from '../wire';
import { counted, leftLine } from './named';
import type { Named } from './named';

export interface ValuesLineProps {
  trans: TranslationBundle;
  values: ReadonlyArray<Named>;
  /** What the server left out; null where that is nothing. */
  left: LeftOut | null;
  /** How many are shown; the rest is counted. */
  limit: number;
}

export function ValuesLine(props: ValuesLineProps): React.ReactElement {
  const shown = props.values.slice(0, props.limit);
  const rest = props.values.length - shown.length + (props.left?.items ?? 0);
  const isCut = (props.left?.unread ?? 0) > 0;
  return (
    <span className="jp-mlops-values" title={titleOf(props)}>
      {shown.map(([name, text]) => (
        <span key={name} className="jp-mlops-value">
          <span className="jp-mlops-value-name">{name}</span>
          <span className="jp-mlops-value-text">{text}</span>
        </span>
      ))}
      {rest > 0 && <span className="jp-mlops-dim">+{counted(rest)}</span>}
      {isCut && <span className="jp-mlops-dim">…</span>}
    </span>
  );
}

export interface ValuesTableProps {
  title: string;
  values: ReadonlyArray<Named>;
  /** What more there is; "" where all of it is here. */
  more?: string;
}

export function ValuesTable(props: ValuesTableProps): React.ReactElement {
  return (
    <table className="jp-mlops-table">
      <caption>{props.title}</caption>
      <tbody>
        {props.values.map(([name, text]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td title={text}>{text}</td>
          </tr>
        ))}
        {props.more && (
          <tr>
            <td colSpan={2} className="jp-mlops-dim">
              {props.more}
            </td>
          </tr>
        )}
      </tbody>
    </table>
  );
}

function titleOf(props: ValuesLineProps): string {
  const lines = props.values.map(([name, text]) => `${name} = ${text}`);
  const more = leftLine(props.left, props.trans);
  return [...lines, ...(more === '' ? [] : [more])].join('\n');
}
