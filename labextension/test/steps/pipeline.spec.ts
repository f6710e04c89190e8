import { expect, test, vi } from 'vitest';
import { ApiError } from '../../src/framework/api/errors';
import { Pipeline } from '../../src/steps/pipeline';
import { FakeApi, FakeNotebook, cell, settled, status, step } from '../fakes';

function pipeline(cells = [cell()]) {
  const notebook = new FakeNotebook(cells);
  const api = new FakeApi();
  return { notebook, api, model: new Pipeline(notebook, api) };
}

test('the answer is the state, and is told', async () => {
  const { api, model } = pipeline();
  api.answer = status({ steps: [step()] });
  const told = vi.fn();
  model.changed.connect(told);
  await model.refresh();
  expect(model.steps).toHaveLength(1);
  expect(told).toHaveBeenCalledTimes(1);
});

test('it looks again when cells, the kernel, the path or the project change', async () => {
  const { api, notebook, model } = pipeline();
  for (const change of [
    () => notebook.cellsChanged.emit(),
    () => notebook.executed.emit(),
    () => notebook.identityChanged.emit(),
    () => api.changed.emit('project'),
    () => api.changed.emit(null)
  ]) {
    const before = api.asked.length;
    change();
    await settled();
    expect(api.asked.length).toBe(before + 1);
  }
  model.dispose();
});

test('changes of another project, and of a notebook nobody sees, are left alone', async () => {
  const { api, notebook } = pipeline();
  api.changed.emit('elsewhere');
  notebook.isVisible = false;
  notebook.cellsChanged.emit();
  await settled();
  expect(api.asked).toEqual([]);
});

test('a kernel of another language has no steps and asks nothing', async () => {
  const { api, notebook, model } = pipeline();
  notebook.language = 'julia';
  await model.refresh();
  expect(model.state).toEqual({ foreign: 'julia', status: null, error: null });
  expect(api.asked).toEqual([]);
});

test('a failure keeps the last answer beside the error', async () => {
  const { api, model } = pipeline();
  api.answer = status({ steps: [step()] });
  await model.refresh();
  api.error = new ApiError('no', 'mend', 'store', 500);
  await model.refresh();
  expect(model.state.error?.hint).toBe('mend');
  expect(model.steps).toHaveLength(1);
  api.error = null;
  await model.refresh();
  expect(model.state.error).toBeNull();
});

test('nothing is told after disposal', async () => {
  const { api, notebook, model } = pipeline();
  const told = vi.fn();
  model.changed.connect(told);
  const pending = model.refresh();
  model.dispose();
  await pending;
  notebook.cellsChanged.emit();
  await settled();
  expect(told).not.toHaveBeenCalled();
  expect(api.asked).toHaveLength(1);
});

test.each([
  ['%load_ext jupyter_mlops', true],
  ['import os\n%load_ext jupyter_mlops', true],
  ['%reload_ext jupyter_mlops', true],
  ['# %load_ext jupyter_mlops', false],
  ['%load_ext jupyter_mlops_other', false]
])('%j loads the extension: %s', (source, loads) => {
  const { model } = pipeline([cell({ source })]);
  expect(model.loadsExtension).toBe(loads);
});

test('it says which kernel is meant, and what papermill noted', async () => {
  const { api, notebook, model } = pipeline();
  notebook.kernel = 'k1';
  notebook.papermill = { start_time: 'then' };
  await model.refresh();
  expect(api.beside).toEqual({
    kernel: 'k1',
    papermill: { start_time: 'then' }
  });
});

test('a notebook that is being loaded has no cells to ask about', async () => {
  const { api, notebook, model } = pipeline([]);
  notebook.isReady = false;
  await model.refresh();
  expect([api.asked, model.state.status]).toEqual([[], null]);
});

test('marked cells that the server did not tell of are waited for', async () => {
  const { api, notebook, model } = pipeline([]);
  await model.refresh();
  expect(model.isBehind).toBe(false);
  notebook.list = [cell({ tags: ['step:train'] })];
  expect(model.isBehind).toBe(true);
  api.answer = status({ steps: [step()] });
  await model.refresh();
  expect(model.isBehind).toBe(false);
});

const plain = step({ name: 'cell@b', cell_id: 'b', named: false });

test('cells without a name are shown where there are no others, or on demand', async () => {
  const { api, model } = pipeline();
  api.answer = status({ steps: [{ ...plain, state: 'never_run' }] });
  await model.refresh();
  expect(model.shown).toHaveLength(1);
  api.answer = status({
    steps: [step(), { ...plain, state: 'never_run' }]
  });
  await model.refresh();
  expect(model.shown.map(each => each.name)).toEqual(['train']);
  model.toggleUnnamed();
  expect(model.shown).toHaveLength(2);
});

test('captured cells stay when one of them gets a name', async () => {
  const { api, model } = pipeline();
  api.answer = status({ steps: [{ ...plain, cell_id: 'a' }, plain] });
  await model.refresh();
  api.answer = status({ steps: [step(), plain] });
  await model.refresh();
  expect(model.shown).toHaveLength(2);
  const other = pipeline();
  other.api.answer = status({ steps: [step(), plain], captured: true });
  await other.model.refresh();
  expect(other.model.shown).toHaveLength(2);
});
