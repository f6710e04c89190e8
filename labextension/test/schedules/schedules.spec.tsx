import { render, screen } from '@testing-library/react';
import * as React from 'react';
import { expect, test } from 'vitest';
import { ScheduleListView } from '../../src/schedules/components/ScheduleList';
import { Schedules } from '../../src/schedules/model';
import type { ScheduleView } from '../../src/framework/wire';
import { FakeApi, FakePath, settled, trans } from '../fakes';

const schedule: ScheduleView = {
  id: 's1',
  number: 1,
  notebook: 'nb.ipynb',
  cron: '0 6 * * *',
  timezone: 'Europe/Zurich',
  parameters: { rate: 0.1 },
  created_at: null,
  notify: [],
  next_fire_at: '2026-01-01T05:00:00+00:00',
  last_fire: null,
  left_out: {}
};

function show(alive: boolean): void {
  render(
    <ScheduleListView
      trans={trans}
      schedules={[schedule]}
      scheduler={{ alive, beat_at: null, host: alive ? 'here' : null }}
      now={new Date('2026-01-01T03:00:00Z')}
    />
  );
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

test('without a scheduler the command that starts one is shown', () => {
  show(false);
  expect(screen.getByText('jupyter mlops scheduler')).toBeTruthy();
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
