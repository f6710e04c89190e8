import { expect, test } from 'vitest';
import {
  formatDuration,
  formatNumber,
  formatRelative,
  formatTime,
  formatValue,
  secondsBetween
} from '../../src/framework/format';
import { trans } from '../fakes';

test.each([
  [0.0001, '1 ms'],
  [0.445, '445 ms'],
  [1.25, '1.3 s'],
  [9.97, '10 s'],
  [59.4, '59 s'],
  [60, '1 min'],
  [185, '3 min 5 s'],
  [3600, '1 h'],
  [7800, '2 h 10 min']
])('%f seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test.each([
  [300, '300'],
  [0.98765, '0.9877'],
  [0.00001234, '1.234e-5'],
  [1234567.8, '1.235e+6'],
  ['nan' as const, 'nan']
])('the number %s is shown as %s', (value, text) => {
  expect(formatNumber(value)).toBe(text);
});

test.each([
  ['2026-01-01T00:59:55Z', 'just now'],
  ['2026-01-01T00:59:30Z', '30 sec. ago'],
  ['2026-01-01T00:55:00Z', '5 min. ago'],
  ['2025-12-29T01:00:00Z', '3 days ago'],
  ['2026-01-01T01:00:04Z', 'in a moment'],
  ['2026-01-01T03:00:00Z', 'in 2 hr.']
])('%s is %s', (time, text) => {
  expect(formatRelative(time, new Date('2026-01-01T01:00:00Z'), trans)).toBe(
    text
  );
});

test('values are told apart', () => {
  expect(formatValue('')).toBe('""');
  expect(formatValue('a b')).toBe('a b');
  expect(formatValue([1, 'x'])).toBe('[1,"x"]');
  expect(formatValue(null)).toBe('null');
});

test('an unknown time zone falls back to that of the reader', () => {
  const now = new Date('2026-06-01T00:00:00Z');
  expect(formatTime('2026-03-01T00:00:00Z', now, 'No/Where')).not.toBe('');
});

test('the year is left out where it is this one', () => {
  const now = new Date('2026-06-01T00:00:00Z');
  const zurich = 'Europe/Zurich';
  expect(formatTime('2026-03-01T05:00:00Z', now, zurich)).toMatch(
    /^Mar 1, 6:00\sAM$/
  );
  expect(formatTime('2027-03-01T05:00:00Z', now, zurich)).toContain('2027');
});

test('days are counted by midnights', () => {
  const now = new Date(2026, 10, 21, 9, 56);
  const at = (day: number, hour: number) =>
    formatRelative(new Date(2026, 10, day, hour).toISOString(), now, trans);
  expect(at(22, 12)).toBe('tomorrow');
  expect(at(23, 6)).toBe('in 2 days');
  expect(at(19, 23)).toBe('2 days ago');
});

test('an open interval lasts until now', () => {
  const now = new Date('2026-01-01T00:00:30Z');
  expect(secondsBetween('2026-01-01T00:00:00Z', null, now)).toBe(30);
  expect(secondsBetween(null, null, now)).toBeNull();
});
