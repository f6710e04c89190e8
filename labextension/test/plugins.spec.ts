// Each plugin can be disabled alone: the others then start without a complaint.
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ServerConnection } from '@jupyterlab/services';
import { CommandRegistry } from '@lumino/commands';
import { PluginRegistry } from '@lumino/coreutils';
import type { IPlugin } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';
import { afterEach, expect, test, vi } from 'vitest';
import plugins from '../src/index';

const shown: Widget[] = [];

afterEach(() => shown.splice(0).forEach(widget => widget.dispose()));

function application() {
  const commands = new CommandRegistry();
  const add = vi.fn((widget: Widget) => void shown.push(widget));
  const shell = { add, activateById: vi.fn() };
  const serverSettings = ServerConnection.makeSettings({
    fetch: () => Promise.reject(new TypeError('offline'))
  });
  const stream = new Signal<object, object>({});
  const serviceManager = { serverSettings, events: { stream } };
  const app = { commands, shell, serviceManager };
  return app as unknown as JupyterFrontEnd & typeof app;
}

const tracker: IPlugin<JupyterFrontEnd, object> = {
  id: 'test:tracker',
  description: 'A tracker of no notebooks.',
  provides: INotebookTracker,
  activate: () => ({
    currentWidget: null,
    forEach: () => undefined,
    widgetAdded: new Signal({}),
    currentChanged: new Signal({})
  })
};

async function start(without: string | null) {
  const app = application();
  const registry = new PluginRegistry<JupyterFrontEnd>();
  registry.application = app;
  const enabled = plugins.filter(({ id }) => id !== without);
  registry.registerPlugins([tracker, ...enabled]);
  for (const { id } of enabled) {
    await registry.activatePlugin(id);
  }
  return app;
}

test('all together they add one panel and the commands', async () => {
  const app = await start(null);
  expect(app.shell.add).toHaveBeenCalledTimes(1);
  const ids = app.commands.listCommands();
  for (const name of [
    'open-panel',
    'refresh',
    'mark-step',
    'jump-to-step',
    'run-job',
    'cancel-run',
    'resume-run',
    'open-output'
  ]) {
    expect(ids).toContain(`jupyter-mlops:${name}`);
  }
});

test.each(plugins.map(({ id }) => id))('%s can be disabled alone', async id => {
  const app = await start(id);
  const hasPanel = id !== 'jupyter-mlops:panel';
  expect(app.shell.add).toHaveBeenCalledTimes(hasPanel ? 1 : 0);
});

test('ids and descriptions are there', () => {
  const ids = plugins.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(plugins.every(({ description }) => Boolean(description))).toBe(true);
});
