import { afterEach, expect, test, vi } from 'vitest';
import { ApiError } from '../../src/framework/api/errors';
import { Runs } from '../../src/runs/model';
import { FakeApi, FakePath, run, settled } from '../fakes';

const open: Runs[] = [];

function setUp(path: string | null = 'project/nb.ipynb') {
  const api = new FakeApi();
  const source = new FakePath(path);
  const runs = new Runs(api, source);
  open.push(runs);
  return { api, runs, source };
}

afterEach(() => open.splice(0).forEach(runs => runs.dispose()));

test('the runs of the project of the open notebook are asked for', async () => {
  const { api, runs } = setUp();
  api.runList = { runs: [run()], project: 'project', older: false };
  await runs.refresh();
  expect(api.asked).toContain('runs project/nb.ipynb');
  expect(runs.find('r1')?.number).toBe(1);
  expect(runs.project).toBe('project');
});

test('another notebook and a change in its project make it look again', async () => {
  const { api, runs, source } = setUp();
  await runs.refresh();
  api.asked = [];
  source.path = 'other/nb.ipynb';
  source.pathChanged.emit();
  await settled();
  api.changed.emit('other');
  await settled();
  api.changed.emit('project');
  await settled();
  expect(api.asked).toEqual(['runs other/nb.ipynb', 'runs other/nb.ipynb']);
});

test('details are fetched for unfolded runs only, and kept new', async () => {
  const { api, runs } = setUp();
  api.runList = {
    runs: [run(), run({ id: 'r0' })],
    project: 'project',
    older: false
  };
  await runs.refresh();
  expect(runs.isOpen('r1')).toBe(false);
  runs.toggle('r1');
  expect(runs.isOpen('r1')).toBe(true);
  await runs.refresh();
  expect(runs.detail('r1')?.step_runs).toEqual([]);
  expect(api.asked).not.toContain('run r0');
  runs.toggle('r1');
  expect(runs.isOpen('r1')).toBe(false);
});

test('a started job is listed at once', async () => {
  const { api, runs } = setUp();
  await runs.start('project/nb.ipynb', { rate: 0.1 });
  expect(api.started).toEqual([
    { path: 'project/nb.ipynb', parameters: { rate: 0.1 } }
  ]);
  expect(runs.runs?.[0].id).toBe('new');
  expect(runs.isActive).toBe(true);
});

test('a live kernel is no job at work', async () => {
  const { api, runs } = setUp();
  const live = run({ kind: 'session', status: 'running', ended_at: null });
  api.runList = { runs: [live], project: 'project', older: false };
  await runs.refresh();
  expect(runs.isActive).toBe(false);
});

test('an error is told, the last runs stay', async () => {
  const { api, runs } = setUp();
  api.runList = { runs: [run()], project: 'project', older: false };
  await runs.refresh();
  api.error = new ApiError('no', 'mend', 'store', 500);
  const told = vi.fn();
  runs.changed.connect(told);
  await runs.refresh();
  expect(runs.error?.message).toBe('no');
  expect(runs.runs).toHaveLength(1);
  expect(told).toHaveBeenCalled();
});

test('a cancel that fails is passed on and the runs are looked at again', async () => {
  const { api, runs } = setUp();
  await runs.refresh();
  api.asked = [];
  api.error = new ApiError('no', '', 'unknown_name', 404);
  await expect(runs.cancel('r1')).rejects.toThrow('no');
  expect(api.asked).toEqual(['cancel r1', 'runs project/nb.ipynb']);
});

test('a resumed run is listed at once, and asked for once', async () => {
  const { api, runs } = setUp();
  api.runList = {
    runs: [run({ status: 'failed' })],
    project: 'project',
    older: false
  };
  await runs.refresh();
  api.asked = [];
  const asked = Promise.all([runs.resume('r1'), runs.resume('r1')]);
  expect(runs.isResuming('r1')).toBe(true);
  await asked;
  expect(runs.isResuming('r1')).toBe(false);
  expect(api.asked).toEqual(['resume r1', 'runs project/nb.ipynb']);
  expect(runs.runs?.[0]).toMatchObject({ status: 'pending', resumes: 'r1' });
});

test('a resume that fails is passed on and can be tried again', async () => {
  const { api, runs } = setUp();
  api.error = new ApiError('no', '', 'input', 400);
  await expect(runs.resume('r1')).rejects.toThrow('no');
  expect(runs.isResuming('r1')).toBe(false);
});

test('older runs follow the newest ones, and are kept new with them', async () => {
  const { api, runs, source } = setUp();
  api.runList = {
    runs: [run({ id: 'r9', number: 9 }), run({ id: 'r8', number: 8 })],
    project: 'project',
    older: true
  };
  api.olderList = { runs: [run()], project: 'project', older: false };
  await runs.refresh();
  expect(runs.hasOlder).toBe(true);
  api.asked = [];
  await runs.showOlder();
  expect(runs.runs?.map(each => each.number)).toEqual([9, 8, 1]);
  expect(runs.hasOlder).toBe(false);
  await runs.refresh();
  expect(api.asked).toEqual([
    'runs project/nb.ipynb',
    'runs project/nb.ipynb before 8',
    'runs project/nb.ipynb',
    'runs project/nb.ipynb before 8'
  ]);
  source.pathChanged.emit();
  await settled();
  expect(runs.runs).toHaveLength(2);
});
