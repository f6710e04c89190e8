import { fireEvent, render, screen } from '@testing-library/react';
import * as React from 'react';
import { expect, test } from 'vitest';
import { ScheduleListView } from '../../src/schedules/components/ScheduleList';
import { Schedules } from '../../src/schedules/model';
import type { ScheduleView } from '../../src/framework/wire';
import { FakeApi, FakePath, run, settled, trans } from '../fakes';

const schedule: ScheduleView = {
  id: 's1',
  number: 1,
  notebook: 'nb.ipynb',
  timing: {
    cron: '0 6 * * *',
    timezone: 'Europe/Zurich',
    every: null,
    start_at: null,
    end_at: null,
    jitter: 0
  },
  parameters: { rate: 0.1 },
  created_at: null,
  notify: [],
  templates: {},
  policy: {
    missed: 'all',
    horizon: 86400,
    overlap: 'queue',
    retries: 0,
    retry_delay: 60
  },
  options: run().options,
  notebook_object: null,
  kernel_name: null,
  paused_at: null,
  decided_until: null,
  next_fire_at: '2026-01-01T05:00:00+00:00',
  due_at: null,
  trigger: null,
  trouble: '',
  fires_next: ['2026-01-01T05:00:00+00:00'],
  notebook_changed: false,
  last_fire: null,
  left_out: {}
};

function show(alive: boolean, values: Partial<ScheduleView> = {}): string[] {
  const done: string[] = [];
  const note = (word: string) => (number: number) => {
    done.push(`${word} ${number}`);
  };
  render(
    <ScheduleListView
      trans={trans}
      schedules={[{ ...schedule, ...values }]}
      scheduler={{ alive, beat_at: null, host: alive ? 'here' : null }}
      now={new Date('2026-01-01T03:00:00Z')}
      isBusy={() => false}
      onPause={note('pause')}
      onResume={note('resume')}
      onRemove={note('remove')}
      onRunNow={note('run')}
      onStartScheduler={() => done.push('start')}
    />
  );
  return done;
}

test('a schedule shows notebook, cron, zone, parameters and its next time there', () => {
  show(true);
  const row = screen.getByRole('listitem').textContent;
  for (const text of [
    'nb.ipynb',
    '0 6 * * *',
    'Europe/Zurich',
    'rate',
    '0.1',
    'in 2 hr.',
    '6:00'
  ]) {
    expect(row).toContain(text);
  }
  expect(screen.getByText('A scheduler is running on here.')).toBeTruthy();
});

test('without a scheduler there is a button that starts one', () => {
  const done = show(false);
  fireEvent.click(screen.getByText('Start the scheduler'));
  expect(done).toEqual(['start']);
});

test('a schedule is run, paused and removed from its row', () => {
  const done = show(true);
  for (const name of ['Run', 'Pause', 'Remove']) {
    const label = `${name} schedule 1${name === 'Run' ? ' now' : ''}`;
    fireEvent.click(screen.getByLabelText(label));
  }
  expect(done).toEqual(['run 1', 'pause 1', 'remove 1']);
});

test('a paused schedule says since when, and is resumed', () => {
  const done = show(true, {
    paused_at: '2026-01-01T02:00:00+00:00',
    fires_next: [],
    timing: { ...schedule.timing, cron: '', every: 900 }
  });
  const row = screen.getByRole('listitem').textContent;
  expect(row).toContain('every 15 min');
  expect(row).toContain('Paused 1 hr. ago');
  fireEvent.click(screen.getByLabelText('Resume schedule 1'));
  expect(done).toEqual(['resume 1']);
});

test('a schedule that has ended, and one whose notebook has changed, say so', () => {
  show(true, { fires_next: [], notebook_changed: true });
  const row = screen.getByRole('listitem').textContent;
  expect(row).toContain('Fires no more');
  expect(row).toContain('has changed since');
});

test('a schedule with a trigger says what it waits for, and what keeps it from looking', () => {
  const trigger = {
    kind: 'file' as const,
    pattern: 'data/*.csv',
    settle: 5,
    schedule_id: '',
    schedule_number: 0,
    ended: 'success' as const,
    url: '',
    query: ''
  };
  show(true, { fires_next: [], trigger, trouble: 'No such folder.' });
  const row = screen.getByRole('listitem').textContent;
  expect(row).toContain('file data/*.csv');
  expect(row).toContain('Cannot look: No such folder.');
});

test('what is asked of a schedule goes to the server, and the list is read again', async () => {
  const api = new FakeApi();
  api.scheduleList = { ...api.scheduleList, schedules: [schedule] };
  const schedules = new Schedules(api, new FakePath());
  await schedules.refresh();
  api.asked = [];
  await schedules.steer(1, 'pause');
  await schedules.startScheduler();
  const made = await schedules.runNow(1);
  await settled();
  expect(made.kind).toBe('schedule');
  expect(api.asked).toContain('pause schedule 1');
  expect(api.asked).toContain('start scheduler project/nb.ipynb');
  expect(api.asked[api.asked.length - 1]).toBe('schedules project/nb.ipynb');
  expect(schedules.isBusy(1)).toBe(false);
  expect(schedules.list?.scheduler.alive).toBe(true);
  schedules.dispose();
});

test('the model follows the path and the events', async () => {
  const api = new FakeApi();
  const source = new FakePath();
  const schedules = new Schedules(api, source);
  api.scheduleList = { ...api.scheduleList, schedules: [schedule] };
  await schedules.refresh();
  expect(schedules.list?.schedules).toHaveLength(1);
  api.asked = [];
  source.path = null;
  source.pathChanged.emit();
  await settled();
  api.changed.emit('project');
  await settled();
  expect(api.asked).toEqual(['schedules null', 'schedules null']);
  schedules.dispose();
});
