import { ServerConnection } from '@jupyterlab/services';
import type { Event } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { afterEach, expect, test, vi } from 'vitest';
import { CHANGED_SCHEMA, RestApi } from '../../../src/framework/api/client';
import type { ApiError } from '../../../src/framework/api/errors';
import { cell, trans } from '../../fakes';

interface Seen {
  url: URL;
  method: string;
  body: unknown;
}

function client(answer: () => Response | Promise<Response>) {
  const seen: Seen[] = [];
  const fetch = async (request: Request): Promise<Response> => {
    const body = await request.text();
    seen.push({
      url: new URL(request.url),
      method: request.method,
      body: body === '' ? null : JSON.parse(body)
    });
    return answer();
  };
  const serverSettings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/base/',
    fetch: fetch as typeof globalThis.fetch
  });
  return { api: new RestApi({ serverSettings, trans }), seen };
}

const json =
  (body: unknown, code = 200) =>
  () =>
    new Response(JSON.stringify(body), { status: code });

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  return promise.then(
    () => expect.fail('it succeeded'),
    (error: ApiError) => error
  );
}

afterEach(() => vi.useRealTimers());

test('the cells of the editor are posted to the status route', async () => {
  const { api, seen } = client(json({ notebook: 'nb.ipynb', steps: [] }));
  const cells = [cell({ source: 'x = 1', tags: ['step:load'] })];
  const status = await api.status('a b/nb.ipynb', cells);
  expect(status.notebook).toBe('nb.ipynb');
  expect(seen[0]).toMatchObject({
    method: 'POST',
    body: { path: 'a b/nb.ipynb', cells }
  });
  expect(seen[0].url.pathname).toBe('/base/jupyter-mlops/status');
});

test('a path is sent where there is one and left out where there is none', async () => {
  const { api, seen } = client(json({ runs: [], project: null }));
  await api.runs('a b/nb.ipynb');
  await api.runs(null);
  expect(seen[0].url.searchParams.get('path')).toBe('a b/nb.ipynb');
  expect(seen[1].url.searchParams.has('path')).toBe(false);
  expect(seen[1].url.searchParams.get('limit')).toBe('50');
});

test('each route has its method and place', async () => {
  const { api, seen } = client(json({}));
  await api.run('r/1', null);
  await api.startRun('nb.ipynb', { rate: 0.1 });
  await api.cancelRun('r1', 'nb.ipynb');
  await api.resumeRun('r1', null);
  await api.schedules('nb.ipynb');
  expect(seen.map(({ method, url }) => `${method} ${url.pathname}`)).toEqual([
    'GET /base/jupyter-mlops/runs/r%2F1',
    'POST /base/jupyter-mlops/runs',
    'POST /base/jupyter-mlops/runs/r1/cancel',
    'POST /base/jupyter-mlops/runs/r1/resume',
    'GET /base/jupyter-mlops/schedules'
  ]);
  expect(seen[1].body).toEqual({
    path: 'nb.ipynb',
    parameters: { rate: 0.1 }
  });
});

test('all of a run has an address of its own', () => {
  const { api } = client(json({}));
  const url = new URL(api.runUrl('r/1', 'a b/nb.ipynb'), 'http://x');
  expect(url.pathname).toBe('/base/jupyter-mlops/runs/r%2F1');
  expect(url.searchParams.get('path')).toBe('a b/nb.ipynb');
  expect(url.searchParams.get('whole')).toBe('true');
});

test("the server's own message and hint are passed on", async () => {
  const body = { code: 'input', message: 'No such name.', hint: 'Try rate.' };
  const { api } = client(json(body, 400));
  const error = await failure(api.startRun('nb.ipynb', { rat: 1 }));
  expect(error).toMatchObject({ ...body, status: 400 });
  expect(api.problem).toBeNull();
});

test.each([
  ['a missing server part', json('Not found', 404), 'server_missing'],
  [
    'a page instead of an answer',
    () => new Response('<html>', { status: 404 }),
    'server_missing'
  ],
  ['a login that ended', json({}, 403), 'forbidden'],
  [
    'no answer',
    () => Promise.reject(new TypeError('Failed to fetch')),
    'offline'
  ]
] as const)('%s is a problem of all requests', async (_, answer, code) => {
  const { api } = client(answer);
  const told = vi.fn();
  api.problemChanged.connect(told);
  const error = await failure(api.runs(null));
  await failure(api.runs(null));
  expect(error.code).toBe(code);
  expect(error.hint).not.toBe('');
  expect(api.problem?.code).toBe(code);
  expect(told).toHaveBeenCalledTimes(1);
});

test('an answer ends the problem', async () => {
  let answer = json('Not found', 404);
  const { api } = client(() => answer());
  await failure(api.runs(null));
  answer = json({ runs: [], project: null });
  await api.runs(null);
  expect(api.problem).toBeNull();
});

test('events of our schema are passed on, gathered by project', () => {
  vi.useFakeTimers();
  const manager = {} as Event.IManager;
  const stream = new Signal<Event.IManager, Event.Emission>(manager);
  const events = Object.assign(manager, {
    stream
  }) as unknown as Event.IManager;
  const api = new RestApi({
    serverSettings: ServerConnection.makeSettings(),
    events,
    trans
  });
  const seen: Array<string | null> = [];
  api.changed.connect((_, project) => seen.push(project));
  stream.emit({ schema_id: CHANGED_SCHEMA, project: 'a', token: '1' });
  stream.emit({ schema_id: CHANGED_SCHEMA, project: 'a', token: '2' });
  stream.emit({ schema_id: CHANGED_SCHEMA, project: 'b', token: '3' });
  stream.emit({ schema_id: 'https://example.org/other', project: 'c' });
  vi.runAllTimers();
  expect(seen).toEqual(['a', 'b']);
  api.dispose();
  stream.emit({ schema_id: CHANGED_SCHEMA, project: 'a', token: '4' });
  vi.runAllTimers();
  expect(seen).toEqual(['a', 'b']);
});
