import { Notification } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import { afterEach, expect, test, vi } from 'vitest';
import { ApiError } from '../../src/framework/api/errors';
import type { INotebooks } from '../../src/framework/notebook/tokens';
import { CommandIDs, addRunCommands } from '../../src/runs/commands';
import { JobForm } from '../../src/runs/jobForm';
import { Runs } from '../../src/runs/model';
import {
  FakeApi,
  FakeNotebook,
  FakePath,
  cell,
  parameter,
  run,
  status,
  trans
} from '../fakes';

const open: Runs[] = [];

function setUp() {
  const api = new FakeApi();
  api.answer = status({ parameters: [parameter()] });
  const notebook = new FakeNotebook([cell()]);
  const runs = new Runs(api, new FakePath());
  open.push(runs);
  const commands = new CommandRegistry();
  const form = new JobForm(trans);
  const reveal = vi.fn();
  const notebooks = { current: notebook, all: [notebook] };
  addRunCommands({
    commands,
    api,
    notebooks: notebooks as unknown as INotebooks,
    runs,
    form,
    trans,
    reveal
  });
  return { api, commands, form, notebook, notebooks, reveal, runs };
}

afterEach(() => open.splice(0).forEach(runs => runs.dispose()));

test('without parameters the form asks for those of the notebook', async () => {
  const { commands, form, reveal } = setUp();
  await commands.execute(CommandIDs.runJob);
  expect(reveal).toHaveBeenCalled();
  expect(form.state?.path).toBe('project/nb.ipynb');
  expect(form.state?.values).toEqual({ rate: '0.5' });
});

test('another notebook than the current one takes its defaults', async () => {
  const { api, commands, form } = setUp();
  await commands.execute(CommandIDs.runJob, { path: 'project/other.ipynb' });
  expect(form.state).toBeNull();
  expect(api.started).toEqual([
    { path: 'project/other.ipynb', parameters: {} }
  ]);
});

test('with parameters the notebook is saved, then the job starts and the form closes', async () => {
  const { api, commands, form, notebook } = setUp();
  await commands.execute(CommandIDs.runJob);
  form.setValue('rate', '0.1');
  await commands.execute(CommandIDs.runJob, { parameters: form.read() });
  expect(notebook.saved).toBe(1);
  expect(api.started).toEqual([
    { path: 'project/nb.ipynb', parameters: { rate: 0.1 } }
  ]);
  expect(form.state).toBeNull();
});

test("the server's refusal stands in the form, with what was typed", async () => {
  const { api, commands, form } = setUp();
  await commands.execute(CommandIDs.runJob);
  form.setValue('rate', '7');
  api.error = new ApiError('Too high.', 'Take at most 1.', 'input', 400);
  await commands.execute(CommandIDs.runJob, { parameters: { rate: 7 } });
  expect(form.state).toMatchObject({
    isBusy: false,
    values: { rate: '7' },
    error: { message: 'Too high.', hint: 'Take at most 1.' }
  });
});

test('a notebook that cannot be saved is not run', async () => {
  const { api, commands, form, notebook } = setUp();
  await commands.execute(CommandIDs.runJob);
  notebook.save = () => Promise.reject(new Error('read only'));
  await commands.execute(CommandIDs.runJob, { parameters: {} });
  expect(api.started).toEqual([]);
  expect(form.state?.error?.message).toContain('read only');
  expect(form.state?.error?.hint).not.toBe('');
});

test('fields with a problem are named and nothing is sent', async () => {
  const { commands, form } = setUp();
  await commands.execute(CommandIDs.runJob);
  form.setValue('rate', 'fast');
  expect(form.read()).toBeNull();
  expect(form.state?.problems['rate']).toContain('number');
  form.setValue('rate', '0.2');
  expect(form.state?.problems).toEqual({});
});

test('it is offered for an open Python notebook only', () => {
  const { commands, notebook } = setUp();
  expect(commands.isEnabled(CommandIDs.runJob)).toBe(true);
  notebook.language = 'r';
  expect(commands.isEnabled(CommandIDs.runJob)).toBe(false);
});

test('canceling takes the newest job at work', async () => {
  const { api, commands, runs } = setUp();
  api.runList = {
    runs: [run({ id: 'r3' }), run({ id: 'r2', status: 'running' })],
    project: 'project',
    older: false
  };
  await runs.refresh();
  expect(commands.isEnabled(CommandIDs.cancelRun)).toBe(true);
  await commands.execute(CommandIDs.cancelRun);
  expect(api.asked).toContain('cancel r2');
});

test('resuming takes the newest run that did not complete and is not continued', async () => {
  const { api, commands, runs } = setUp();
  await runs.refresh();
  expect(commands.isEnabled(CommandIDs.resumeRun)).toBe(false);
  api.runList = {
    runs: [
      run({ id: 'r4', resumes: 'r3' }),
      run({ id: 'r3', status: 'failed' }),
      run({ id: 'r2', status: 'lost' }),
      run({ status: 'canceled' })
    ],
    project: 'project',
    older: false
  };
  await runs.refresh();
  expect(commands.isEnabled(CommandIDs.resumeRun)).toBe(true);
  await commands.execute(CommandIDs.resumeRun);
  await commands.execute(CommandIDs.resumeRun, { id: 'r1' });
  expect(api.asked.filter(each => each.startsWith('resume'))).toEqual([
    'resume r2',
    'resume r1'
  ]);
});

test('resuming with an edit saves the notebook that was run first', async () => {
  const { api, commands, notebook, runs } = setUp();
  api.runList = {
    runs: [run({ status: 'failed' })],
    project: 'project',
    older: false
  };
  await runs.refresh();
  await commands.execute(CommandIDs.resumeRun, { id: 'r1', withEdit: true });
  expect(notebook.saved).toBe(1);
  expect(api.asked).toContain('resume r1 with edit');
});

test('a failed run opens at its failing cell', async () => {
  const { api, commands, notebook } = setUp();
  const opened = vi.fn();
  commands.addCommand('docmanager:open', {
    execute: opened,
    describedBy: { args: {} }
  });
  notebook.path = 'project/nb-run1.ipynb';
  notebook.list = [cell(), cell({ id: 'attach' })];
  await commands.execute(CommandIDs.openRun, { id: 'r1' });
  expect(api.asked).toContain('open r1');
  expect(opened.mock.calls[0][0]).toMatchObject({ path: notebook.path });
  expect(notebook.revealed).toEqual(['attach']);
});

test("the server's refusal to resume is shown with the mend", async () => {
  const { api, commands } = setUp();
  const shown = vi.spyOn(Notification, 'error');
  api.error = new ApiError('Run 1 is completed.', 'Run it.', 'input', 400);
  await commands.execute(CommandIDs.resumeRun, { id: 'r1' });
  expect(shown.mock.calls[0][0]).toBe('Run 1 is completed.\nRun it.');
  shown.mockRestore();
});

test('the output opens by its contents path', async () => {
  const { api, commands, runs } = setUp();
  const opened = vi.fn();
  commands.addCommand('docmanager:open', {
    execute: opened,
    describedBy: { args: {} }
  });
  api.runList = {
    runs: [run({ output_path: 'runs/nb-1.ipynb' })],
    project: 'project',
    older: false
  };
  await runs.refresh();
  await commands.execute(CommandIDs.openOutput, { id: 'r1' });
  expect(opened.mock.calls[0][0]).toMatchObject({
    path: 'project/runs/nb-1.ipynb'
  });
});

test('each command says what it takes', async () => {
  const { commands } = setUp();
  for (const id of Object.values(CommandIDs)) {
    expect((await commands.describedBy(id)).args).toBeTruthy();
    expect(commands.label(id)).not.toBe('');
  }
});
