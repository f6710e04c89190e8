// How durations, times, numbers and values are written in the panel.
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Json, Measured } from './wire';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Seconds as people say them: "12 ms", "1.2 s", "3 min 5 s", "2 h 10 min". */
export function formatDuration(seconds: number): string {
  if (seconds < 1) {
    return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  }
  if (seconds < 9.95) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  if (whole < MINUTE) {
    return `${whole} s`;
  }
  if (whole < HOUR) {
    return joined(Math.floor(whole / MINUTE), 'min', whole % MINUTE, 's');
  }
  const minutes = Math.round(whole / MINUTE);
  return joined(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
}

function joined(
  big: number,
  unit: string,
  small: number,
  part: string
): string {
  return small === 0 ? `${big} ${unit}` : `${big} ${unit} ${small} ${part}`;
}

/** Seconds between two times on the wire; an end of null is `now`. Null where there is no start. */
export function secondsBetween(
  start: string | null,
  end: string | null,
  now: Date
): number | null {
  if (start === null) {
    return null;
  }
  const until = end === null ? now.getTime() : Date.parse(end);
  return Math.max(0, (until - Date.parse(start)) / 1000);
}

/** A time beside `now`: "just now", "5 min ago", "in 2 hr". */
export function formatRelative(
  time: string,
  now: Date,
  trans: TranslationBundle
): string {
  const seconds = (Date.parse(time) - now.getTime()) / 1000;
  const size = Math.abs(seconds);
  if (size < 10) {
    return seconds > 0 ? trans.__('in a moment') : trans.__('just now');
  }
  const format = new Intl.RelativeTimeFormat(language(), {
    numeric: 'auto',
    style: 'short'
  });
  if (size < MINUTE) {
    return format.format(Math.trunc(seconds), 'second');
  }
  if (size < HOUR) {
    return format.format(Math.trunc(seconds / MINUTE), 'minute');
  }
  if (size < DAY) {
    return format.format(Math.trunc(seconds / HOUR), 'hour');
  }
  return format.format(daysBetween(now, new Date(time)), 'day');
}

/** How many midnights lie between two times where the reader is: 30 hours may be tomorrow or the day after. */
function daysBetween(from: Date, to: Date): number {
  const midnight = (date: Date): number =>
    new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  return Math.round((midnight(to) - midnight(from)) / (1000 * DAY));
}

/** A date and time in `timeZone` or else where the reader is; the year only where it is not that of `now`. */
export function formatTime(time: string, now: Date, timeZone?: string): string {
  const date = new Date(time);
  const style: Intl.DateTimeFormatOptions = {
    year: date.getFullYear() === now.getFullYear() ? undefined : 'numeric',
    month: 'short',
    day: 'numeric',
    hour: 'numeric',
    minute: '2-digit'
  };
  try {
    return new Intl.DateTimeFormat(language(), { ...style, timeZone }).format(
      date
    );
  } catch {
    // A zone the browser does not know: better another zone than no time.
    return new Intl.DateTimeFormat(language(), style).format(date);
  }
}

/** A number in at most five significant digits. */
export function formatNumber(value: Measured): string {
  if (typeof value === 'string' || Number.isInteger(value)) {
    return String(value);
  }
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4
    ? value.toExponential(3)
    : String(Number(value.toPrecision(size >= 1000 ? 7 : 4)));
}

/** A parameter's value on one line. */
export function formatValue(value: Json): string {
  if (typeof value === 'string') {
    return value === '' ? '""' : value;
  }
  return JSON.stringify(value);
}

function language(): string | undefined {
  const lang = document.documentElement.lang.replace('_', '-');
  try {
    return Intl.getCanonicalLocales(lang)[0];
  } catch {
    return undefined;
  }
}
