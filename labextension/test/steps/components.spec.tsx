import { fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';
import { expect, test, vi } from 'vitest';
import { MarkFormView } from '../../src/steps/components/MarkForm';
import { StepList } from '../../src/steps/components/StepList';
import type { StepState, StepStatus } from '../../src/framework/wire';
import { cell, step, trans } from '../fakes';

const now = new Date('2026-01-01T01:00:00Z');

test('each state is said in words, with its reason and figures', () => {
  const words: Array<[StepState, string]> = [
    ['fresh', 'Fresh'],
    ['stale', 'Stale'],
    ['running', 'Running'],
    ['failed', 'Failed'],
    ['never_run', 'Never run'],
    ['canceled', 'Canceled'],
    ['completed', 'Completed'],
    ['reused', 'Reused']
  ];
  render(
    <StepList
      trans={trans}
      now={now}
      problems={[]}
      activeCellId={null}
      unnamed={0}
      showsUnnamed={false}
      onToggleUnnamed={() => undefined}
      onJump={() => undefined}
      steps={words.map(([state], index) =>
        step({ state, name: state, cell_id: String(index), reason: 'why' })
      )}
    />
  );
  const rows = screen.getAllByRole('listitem');
  words.forEach(([state, word], index) => {
    expect(rows[index].dataset.state).toBe(state);
    expect(rows[index].textContent).toContain(word);
  });
  expect(rows[1].textContent).toContain('why');
  expect(rows[4].textContent).not.toContain('why');
});

test('of a step that never ran is told why it always runs', () => {
  const never: StepState = 'never_run';
  render(
    <StepList
      trans={trans}
      now={now}
      problems={[]}
      activeCellId={null}
      unnamed={0}
      showsUnnamed={false}
      onToggleUnnamed={() => undefined}
      onJump={() => undefined}
      steps={[
        step({ state: never, reason: 'runs always: it is deep', always: true })
      ]}
    />
  );
  expect(screen.getByRole('listitem').textContent).toContain('it is deep');
});

test('a click on a step or a problem jumps to its cell', () => {
  const onJump = vi.fn();
  render(
    <StepList
      trans={trans}
      now={now}
      activeCellId="a"
      unnamed={0}
      showsUnnamed={false}
      onToggleUnnamed={() => undefined}
      steps={[
        step({ upstream: ['load', 'clean'], metrics: { auc: 0.98765 } }),
        step({ name: 'load', cell_id: 'b' }),
        step({ name: 'clean', cell_id: 'c' })
      ]}
      problems={[{ message: 'Two are named x.', hint: 'Rename', cell_id: 'p' }]}
      onJump={onJump}
    />
  );
  const row = screen.getByRole('button', { name: /Step train/ });
  expect(row.textContent).toContain('← load, clean');
  expect(row.textContent).toContain('0.9877');
  expect(row.getAttribute('aria-current')).toBe('location');
  fireEvent.click(row);
  fireEvent.click(screen.getByRole('button', { name: 'Show the cell' }));
  expect(onJump.mock.calls).toEqual([['a'], ['p']]);
});

const FIRST_LINE = 'rows = load()';

function list(steps: StepStatus[], showsUnnamed = false) {
  const toggle = vi.fn();
  render(
    <StepList
      trans={trans}
      now={now}
      activeCellId={null}
      unnamed={2}
      showsUnnamed={showsUnnamed}
      steps={steps}
      problems={[]}
      onJump={() => undefined}
      onToggleUnnamed={toggle}
    />
  );
  return { rows: screen.getAllByRole('listitem'), toggle };
}

test('a step that was reused says how long its result took, not how long it was fetched', () => {
  const { rows } = list([step({ duration: 0.008, computed: 3, reused: true })]);
  expect(rows[0].textContent).toContain(
    'restored in 8\u00a0ms (ran 3.0\u00a0s)'
  );
});

test('a cell that no one named is known by its first line, also where others take from it', () => {
  const { rows } = list(
    [
      step({
        name: 'cell@a-1',
        label: FIRST_LINE,
        named: false,
        cell_id: 'a'
      }),
      step({ upstream: ['cell@a-1'], cell_id: 'b' })
    ],
    true
  );
  expect(rows[0].textContent).toContain(FIRST_LINE);
  expect(rows[0].textContent).not.toContain('@');
  expect(rows[1].textContent).toContain(`← ${FIRST_LINE}`);
});

test('cells that are left out are counted, and shown on demand', () => {
  const { toggle } = list([step()]);
  fireEvent.click(
    screen.getByRole('button', { name: 'Show 2 cells without a name' })
  );
  expect(toggle).toHaveBeenCalledTimes(1);
});

test('the form of a marked cell renames and removes', () => {
  const calls = {
    name: vi.fn(),
    submit: vi.fn(),
    remove: vi.fn(),
    close: vi.fn()
  };
  render(
    <MarkFormView
      trans={trans}
      state={{
        cell: cell(),
        mark: { name: 'load', by: 'tag' },
        name: 'load',
        problem: 'Another cell has it.'
      }}
      onName={calls.name}
      onSubmit={calls.submit}
      onRemove={calls.remove}
      onClose={calls.close}
    />
  );
  const field = screen.getByRole('textbox');
  expect(field.getAttribute('aria-invalid')).toBe('true');
  expect(screen.getByRole('alert').textContent).toBe('Another cell has it.');
  fireEvent.change(field, { target: { value: 'read' } });
  fireEvent.click(screen.getByRole('button', { name: 'Remove mark' }));
  fireEvent.submit(screen.getByRole('form'));
  fireEvent.keyDown(field, { key: 'Escape' });
  expect(calls.name).toHaveBeenCalledWith('read');
  for (const call of [calls.submit, calls.remove, calls.close]) {
    expect(call).toHaveBeenCalledTimes(1);
  }
});

test('a cell marked by its first line is not renamed from outside', () => {
  render(
    <MarkFormView
      trans={trans}
      state={{
        cell: cell(),
        mark: { name: 'load', by: 'magic' },
        name: 'load',
        problem: null
      }}
      onName={() => undefined}
      onSubmit={() => undefined}
      onRemove={() => undefined}
      onClose={() => undefined}
    />
  );
  expect(screen.queryByRole('textbox')).toBeNull();
  expect(screen.getByText(/after %%step/)).toBeTruthy();
});
