import { Signal } from '@lumino/signaling';
import { CommandRegistry } from '@lumino/commands';
import { expect, test, vi } from 'vitest';
import { CommandIDs, addStepCommands } from '../../src/steps/commands';
import { MarkForm } from '../../src/steps/markForm';
import { Pipeline } from '../../src/steps/pipeline';
import type { IPipelines } from '../../src/steps/tokens';
import { FakeApi, FakeNotebook, cell, status, step, trans } from '../fakes';

function setUp(
  cells = [cell(), cell({ id: 'b', index: 1, tags: ['step:b'] })]
) {
  const notebook = new FakeNotebook(cells);
  const api = new FakeApi();
  const pipeline = new Pipeline(notebook, api);
  const pipelines = {
    current: pipeline as Pipeline | null,
    changed: new Signal<object, void>({})
  };
  const commands = new CommandRegistry();
  const form = new MarkForm();
  const reveal = vi.fn();
  addStepCommands({
    commands,
    pipelines: pipelines as unknown as IPipelines,
    form,
    trans,
    reveal
  });
  return { api, commands, form, notebook, pipeline, pipelines, reveal };
}

test('marking writes the tag and looks again', async () => {
  const { api, commands, notebook } = setUp([cell({ tags: ['keep'] })]);
  await commands.execute(CommandIDs.markStep, { name: 'load' });
  expect(notebook.list[0].tags).toEqual(['keep', 'step:load']);
  expect(api.asked).toHaveLength(1);
});

test('removing takes only the step tag away', async () => {
  const { commands, notebook } = setUp([cell({ tags: ['keep', 'step:x'] })]);
  await commands.execute(CommandIDs.markStep, { remove: true });
  expect(notebook.list[0].tags).toEqual(['keep']);
});

test('without a name the form opens in the panel', async () => {
  const { commands, form, reveal } = setUp();
  await commands.execute(CommandIDs.markStep);
  expect(form.state?.cell.id).toBe('a');
  expect(reveal).toHaveBeenCalled();
});

test.each(['b', '1st', ''])(
  'the name %j is refused in the form',
  async name => {
    const { commands, form, notebook } = setUp();
    await commands.execute(CommandIDs.markStep, { name, cellId: 'a' });
    expect(form.state?.problem).toBeTruthy();
    expect(notebook.list[0].tags).toEqual([]);
  }
);

test('a refused name stays in the open form', async () => {
  const { commands, form } = setUp();
  await commands.execute(CommandIDs.markStep);
  form.setName('two words');
  await commands.execute(CommandIDs.markStep, { name: 'two words' });
  expect(form.state?.name).toBe('two words');
  expect(form.state?.problem).toBeTruthy();
});

test('it is offered for code cells of Python notebooks only', () => {
  const { commands, notebook, pipelines } = setUp([
    cell(),
    cell({ id: 'm', kind: 'markdown' })
  ]);
  expect(commands.isEnabled(CommandIDs.markStep)).toBe(true);
  notebook.active = 1;
  expect(commands.isEnabled(CommandIDs.markStep)).toBe(false);
  expect(commands.caption(CommandIDs.markStep)).toContain('code cell');
  pipelines.current = null;
  expect(commands.isEnabled(CommandIDs.markStep)).toBe(false);
});

test('jumping reveals the cell of the step', async () => {
  const { api, commands, notebook, pipeline } = setUp();
  api.answer = status({ steps: [step({ name: 'b', cell_id: 'b' })] });
  await pipeline.refresh();
  await commands.execute(CommandIDs.jumpToStep, { name: 'b' });
  await commands.execute(CommandIDs.jumpToStep, { cellId: 'a' });
  await commands.execute(CommandIDs.jumpToStep, { name: 'gone' });
  expect(notebook.revealed).toEqual(['b', 'a']);
});

test('loading the extension adds one cell on top', async () => {
  const { commands, notebook } = setUp();
  await commands.execute(CommandIDs.loadExtension);
  expect(notebook.list[0].source).toBe('%load_ext jupyter_mlops');
  expect(commands.isEnabled(CommandIDs.loadExtension)).toBe(false);
});

test('each command says what it takes', async () => {
  const { commands } = setUp();
  for (const id of Object.values(CommandIDs)) {
    expect((await commands.describedBy(id)).args).toBeTruthy();
    expect(commands.label(id)).not.toBe('');
  }
});
