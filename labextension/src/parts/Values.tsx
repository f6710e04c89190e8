// Named values: a few on a line, or all in a table.
import * as React from 'react';

/** Name and text of a value. */
export type Named = readonly [name: string, text: string];

export interface ValuesLineProps {
  values: ReadonlyArray<Named>;
  /** How many are shown; the rest is counted. */
  limit: number;
}

export function ValuesLine(props: ValuesLineProps): React.ReactElement {
  const shown = props.values.slice(0, props.limit);
  const rest = props.values.length - shown.length;
  return (
    <span className="jp-mlops-values" title={titleOf(props.values)}>
      {shown.map(([name, text]) => (
        <span key={name} className="jp-mlops-value">
          <span className="jp-mlops-value-name">{name}</span>
          <span className="jp-mlops-value-text">{text}</span>
        </span>
      ))}
      {rest > 0 && <span className="jp-mlops-dim">+{rest}</span>}
    </span>
  );
}

export interface ValuesTableProps {
  title: string;
  values: ReadonlyArray<Named>;
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
      </tbody>
    </table>
  );
}

function titleOf(values: ReadonlyArray<Named>): string {
  return values.map(([name, text]) => `${name} = ${text}`).join('\n');
}
