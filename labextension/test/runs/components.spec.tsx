import { fireEvent, render, screen, within } from '@testing-library/react';
import * as React from 'react';
import { expect, test, vi } from 'vitest';
import { JobFormView } from '../../src/runs/components/JobForm';
import { RunList } from '../../src/runs/components/RunList';
import { JobForm } from '../../src/runs/jobForm';
import type { ListedStepRun, Run, RunFailure } from '../../src/framework/wire';
import { parameter, run, trans } from '../fakes';

const now = new Date('2026-01-01T00:05:00Z');

function show(
  runs: Run[],
  isOpen = false,
  isResuming = false,
  steps: Array<Partial<ListedStepRun>> = []
) {
  const calls = {
    toggle: vi.fn(),
    cancel: vi.fn(),
    resume: vi.fn(),
    withEdit: vi.fn(),
    openRun: vi.fn(),
    older: vi.fn(),
    open: vi.fn()
  };
  render(
    <RunList
      trans={trans}
      runs={runs}
      now={now}
      isOpen={() => isOpen}
      detail={id => ({
        ...(runs.find(each => each.id === id) ?? run({ id })),
        step_runs: steps as ListedStepRun[]
      })}
      isResuming={() => isResuming}
      wholeUrl={id => `/whole/${id}`}
      onToggle={calls.toggle}
      onCancel={calls.cancel}
      onResume={calls.resume}
      onResumeWithEdit={calls.withEdit}
      onOpenRun={calls.openRun}
      onShowOlder={calls.older}
      onOpenOutput={calls.open}
    />
  );
  return { calls, rows: screen.getAllByRole('listitem') };
}

test('a run shows its number, status, time, metrics and step counts', () => {
  const { rows, calls } = show([
    run({
      number: 12,
      metrics: { auc: 0.98765 },
      steps_executed: 2,
      steps_reused: 3,
      output_path: 'runs/nb-12.ipynb'
    })
  ]);
  for (const text of [
    '#12',
    'Completed',
    '5 min. ago',
    '12 s',
    '2 run, 3 reused',
    '0.9877'
  ]) {
    expect(rows[0].textContent).toContain(text);
  }
  fireEvent.click(screen.getByRole('button', { name: /details/ }));
  fireEvent.click(screen.getByRole('button', { name: /Open the output/ }));
  expect(calls.toggle).toHaveBeenCalledWith('r1');
  expect(calls.open).toHaveBeenCalledWith('r1');
});

test('folded, only the parameters that differ between runs are shown', () => {
  const { rows } = show([
    run({ parameters: { rate: 0.1, seed: 1 } }),
    run({ id: 'r0', parameters: { rate: 0.5, seed: 1 } })
  ]);
  expect(rows[0].textContent).toContain('rate0.1');
  expect(rows[0].textContent).not.toContain('seed');
});

test('what the server left out is counted, and long texts say how long they are', () => {
  const left_out = {
    metrics: { items: 4998, unread: 0, texts: {} },
    parameters: { items: 0, unread: 900, texts: { text: 4000000 } }
  };
  const values = { parameters: { text: 'aaa…' }, metrics: { a: 1, b: 2 } };
  const runs = [
    run({ ...values, left_out }),
    run({ id: 'r0', parameters: { text: 'b' } })
  ];
  const { rows } = show(runs);
  expect(rows[0].textContent).toContain('+4,998');
  expect(rows[0].textContent).toContain('aaa… (4,000,000 characters)');
  expect(rows[1].textContent).not.toContain('+');
});

test('an unfolded run of which parts are left out says so and links to all of it', () => {
  const left_out = { metrics: { items: 4000, unread: 0, texts: {} } };
  const { rows } = show(
    [run({ metrics: { auc: 1 }, left_out }), run({ id: 'r0' })],
    true
  );
  expect(rows[0].textContent).toContain('and 4,000 more');
  const link = within(rows[0]).getByRole('link', { name: 'All of it as JSON' });
  expect(link.getAttribute('href')).toBe('/whole/r1');
  expect(within(rows[1]).queryByRole('link')).toBeNull();
});

test('a running job shows its progress and can be canceled', () => {
  const { calls } = show([
    run({
      status: 'running',
      ended_at: null,
      progress: { cells_done: 3, cells_total: 12, step: 'train' }
    })
  ]);
  const bar = screen.getByRole('progressbar');
  expect(bar.getAttribute('aria-valuenow')).toBe('3');
  expect(screen.getByText('3 of 12 cells · step train')).toBeTruthy();
  fireEvent.click(screen.getByRole('button', { name: 'Cancel run 1' }));
  expect(calls.cancel).toHaveBeenCalledWith('r1');
});

test('a live kernel has neither progress nor a cancel button', () => {
  const { rows } = show([
    run({ kind: 'session', status: 'running', ended_at: null })
  ]);
  expect(rows[0].textContent).toContain('Live');
  expect(screen.queryByRole('progressbar')).toBeNull();
  expect(screen.queryByRole('button', { name: /Cancel/ })).toBeNull();
});

test('a failed run says why and what to do', () => {
  const { rows } = show([
    run({
      status: 'failed',
      output_path: 'runs/nb-1.ipynb',
      error: {
        cause: 'cell_error',
        message: '',
        cell_index: 4,
        step: 'train',
        ename: 'ValueError',
        evalue: 'bad',
        signal: '',
        exit_code: null
      }
    })
  ]);
  expect(rows[0].textContent).toContain('Step train: ValueError: bad');
  expect(rows[0].textContent).toContain('traceback');
});

const FAULT: RunFailure = {
  cause: 'cell_error',
  message: '',
  cell_index: 4,
  step: 'slow',
  ename: 'ValueError',
  evalue: 'bad',
  signal: '',
  exit_code: null
};

test('of an error of the code, the mended notebook goes on, or the failing cell is opened', () => {
  const { calls } = show([run({ status: 'failed', error: FAULT })]);
  fireEvent.click(screen.getByRole('button', { name: 'Resume with my edit' }));
  fireEvent.click(screen.getByRole('button', { name: 'Open at the cell' }));
  expect(calls.withEdit).toHaveBeenCalledWith('r1');
  expect(calls.openRun).toHaveBeenCalledWith('r1');
});

test.each([
  ['as asked', 'Stopped in step slow.'],
  [
    'it took too long to stop',
    'Stopped in step slow (it took too long to stop).'
  ]
])('a canceled run (%s) says so in one sentence', (word, said) => {
  const error = {
    ...FAULT,
    cause: 'canceled',
    ename: 'Canceled',
    evalue: `Canceled (${word}).`,
    message: `Canceled (${word}).`
  };
  const { rows } = show([run({ status: 'canceled', error })]);
  expect(rows[0].querySelector('.jp-mlops-fault')?.textContent).toBe(said);
  expect(screen.queryByRole('button', { name: /edit/ })).toBeNull();
});

test('older runs are shown on demand', () => {
  const { calls } = show([run()]);
  fireEvent.click(screen.getByRole('button', { name: 'Show older runs' }));
  expect(calls.older).toHaveBeenCalledTimes(1);
});

test.each(['failed', 'canceled', 'lost'] as const)(
  'a %s run can be resumed',
  status => {
    const { calls } = show([run({ status })]);
    const button = screen.getByRole('button', { name: 'Resume run 1' });
    expect(button.title).toContain('with the notebook as it was');
    fireEvent.click(button);
    expect(calls.resume).toHaveBeenCalledWith('r1');
  }
);

test('there is no resuming what completed, is at work, is live, or continued', () => {
  show([
    run({ id: 'r5', number: 5, kind: 'session', status: 'failed' }),
    run({ id: 'r4', number: 4, status: 'pending', ended_at: null }),
    run({ id: 'r3', number: 3, status: 'running', resumes: 'r2' }),
    run({ id: 'r2', number: 2, status: 'failed' }),
    run()
  ]);
  expect(screen.queryByRole('button', { name: /Resume/ })).toBeNull();
});

test('while the server is asked to resume a run it cannot be asked again', () => {
  const { calls } = show([run({ status: 'failed' })], false, true);
  const button = screen.getByRole('button', { name: 'Resume run 1' });
  expect(button).toHaveProperty('disabled', true);
  fireEvent.click(button);
  expect(calls.resume).not.toHaveBeenCalled();
});

test('unfolded, all parameters and metrics stand in tables', () => {
  show([run({ parameters: { rate: 0.1 }, metrics: { auc: 0.9 } })], true);
  const parameters = screen.getByRole('table', { name: 'Parameters' });
  expect(within(parameters).getByRole('rowheader').textContent).toBe('rate');
  expect(screen.getByRole('table', { name: 'Metrics' })).toBeTruthy();
});

test('the form has an input for each kind of parameter, with its help', () => {
  const form = new JobForm(trans);
  form.open('nb.ipynb', [
    parameter({ help: 'how fast', range: '> 0, <= 1' }),
    parameter({ name: 'flag', type: 'bool', default: true }),
    parameter({ name: 'label', type: 'str', default: 'x' }),
    parameter({ name: 'mode', default: 'FAST', choices: ['FAST', 'SLOW'] })
  ]);
  const state = form.state;
  const onChange = vi.fn();
  const onSubmit = vi.fn();
  render(
    state && (
      <JobFormView
        trans={trans}
        state={{ ...state, problems: { rate: 'Enter a number.' } }}
        onChange={onChange}
        onSubmit={onSubmit}
        onClose={() => undefined}
      />
    )
  );
  const rate = screen.getByRole('spinbutton', { name: /rate/ });
  expect(rate.getAttribute('aria-describedby')).toContain('-help');
  expect(rate.getAttribute('aria-invalid')).toBe('true');
  expect(screen.getByText('how fast · > 0, <= 1')).toBeTruthy();
  fireEvent.change(rate, { target: { value: '0.1' } });
  fireEvent.click(screen.getByRole('checkbox', { name: /flag/ }));
  fireEvent.change(screen.getByRole('textbox', { name: /label/ }), {
    target: { value: 'y' }
  });
  fireEvent.change(screen.getByRole('combobox', { name: /mode/ }), {
    target: { value: '"SLOW"' }
  });
  expect(onChange.mock.calls).toEqual([
    ['rate', '0.1'],
    ['flag', false],
    ['label', 'y'],
    ['mode', '"SLOW"']
  ]);
  fireEvent.submit(screen.getByRole('form'));
  expect(onSubmit).toHaveBeenCalledTimes(1);
  form.dispose();
});

test('of a reused step both times are told, and a cell without a name by its code', () => {
  const code = 'total = 1';
  show([run()], true, false, [
    {
      id: 's1',
      step: 'prices@0a1b2c3d',
      label: code,
      status: 'reused',
      duration: 0.008,
      computed: 3,
      error: '',
      why: 'nothing it depends on changed',
      unrepeatable: '',
      left_out: {}
    }
  ]);
  const row = screen.getByText(code).closest('tr')!;
  expect(row.textContent).toContain('restored in 8 ms (ran 3.0 s)');
  expect(row.title).toBe('prices@0a1b2c3d\nnothing it depends on changed');
});
