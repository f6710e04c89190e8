// Our icons: 16 x 16 line drawings in the colour of the text around them, so that both themes suit them.
import { LabIcon } from '@jupyterlab/ui-components';
import type { StepState, Status } from './wire';

const drawing = (body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">${body}</svg>`;

const icon = (name: string, body: string): LabIcon =>
  new LabIcon({ name: `jupyter-mlops:${name}`, svgstr: drawing(body) });

/** Three steps of a pipeline, the last one done: the mark of the product. The sidebar colours it by its class. */
export const mlopsIcon = new LabIcon({
  name: 'jupyter-mlops:mlops',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24"><g class="jp-icon3" fill="#616161"><path d="M5 3a3 3 0 0 1 2.83 4H11a4 4 0 0 1 4 4v2h1.17A3 3 0 1 1 19 17a3 3 0 0 1-2.83-2H15a2 2 0 0 1-2-2v-2a2 2 0 0 0-2-2H6v6.17A3 3 0 1 1 4 15.17V8.83A3 3 0 0 1 5 3zm0 2a1 1 0 1 0 0 2 1 1 0 0 0 0-2zm0 12a1 1 0 1 0 0 2 1 1 0 0 0 0-2z"/></g></svg>'
});

const doneIcon = icon(
  'done',
  '<circle cx="8" cy="8" r="6"/><path d="M5.3 8.2l1.9 1.9 3.5-3.9"/>'
);
const staleIcon = icon(
  'stale',
  '<circle cx="8" cy="8" r="6"/><path d="M8 4.6V8l2.2 1.6"/>'
);
const runningIcon = icon('running', '<path d="M8 2a6 6 0 1 1-6 6"/>');
const failedIcon = icon(
  'failed',
  '<circle cx="8" cy="8" r="6"/><path d="M6 6l4 4M10 6l-4 4"/>'
);
const neverIcon = icon(
  'never',
  '<circle cx="8" cy="8" r="6" stroke-dasharray="2.3 2.4"/>'
);
const pendingIcon = icon(
  'pending',
  '<circle cx="8" cy="8" r="6"/><path d="M5.4 8h.01M8 8h.01M10.6 8h.01" stroke-width="1.9"/>'
);
const canceledIcon = icon(
  'canceled',
  '<circle cx="8" cy="8" r="6"/><path d="M3.8 12.2l8.4-8.4"/>'
);
const lostIcon = icon(
  'lost',
  '<circle cx="8" cy="8" r="6"/><path d="M6.4 6.4a1.7 1.7 0 1 1 2.4 1.7c-.5.3-.8.6-.8 1.2M8 11.3h.01"/>'
);
const reusedIcon = icon(
  'reused',
  '<path d="M3 8a5 5 0 0 1 8.6-3.5L13 6M13 2.8V6H9.8M13 8a5 5 0 0 1-8.6 3.5L3 10M3 13.2V10h3.2"/>'
);

export const stateIcons: { readonly [state in StepState]: LabIcon } = {
  fresh: doneIcon,
  stale: staleIcon,
  running: runningIcon,
  failed: failedIcon,
  canceled: canceledIcon,
  never_run: neverIcon,
  completed: doneIcon,
  reused: reusedIcon
};

export const statusIcons: { readonly [status in Status]: LabIcon } = {
  pending: pendingIcon,
  running: runningIcon,
  completed: doneIcon,
  failed: failedIcon,
  canceled: canceledIcon,
  lost: lostIcon,
  reused: reusedIcon
};

export const markIcon = icon(
  'mark',
  '<path d="M2.8 3.2h5l5.4 4.9a.9.9 0 0 1 0 1.3l-3.7 3.7a.9.9 0 0 1-1.3 0L2.8 8z"/><path d="M5.5 5.8h.01" stroke-width="1.9"/>'
);
export const runJobIcon = icon('run-job', '<path d="M5 3.2l7.4 4.8L5 12.8z"/>');
export const cancelIcon = icon(
  'cancel',
  '<rect x="4" y="4" width="8" height="8" rx="1"/>'
);
export const resumeIcon = icon(
  'resume',
  '<path d="M3.6 3.4v9.2M6.8 3.4l6 4.6-6 4.6z"/>'
);
export const pauseIcon = icon('pause', '<path d="M5.4 3.4v9.2M10.6 3.4v9.2"/>');
export const removeIcon = icon(
  'remove',
  '<path d="M3 4.6h10M6.4 4.4V3h3.2v1.4M4.4 4.8l.5 8h6.2l.5-8"/>'
);
export const openIcon = icon(
  'open',
  '<path d="M9.5 2.8h3.7v3.7M13 3L8 8M11.4 9.4v3.2a.6.6 0 0 1-.6.6H3.4a.6.6 0 0 1-.6-.6V5.2a.6.6 0 0 1 .6-.6h3.2"/>'
);
export const clockIcon = icon(
  'clock',
  '<circle cx="8" cy="8" r="6"/><path d="M8 4.6V8l2.2 1.6"/>'
);

export const liveIcon = icon(
  'live',
  '<circle cx="8" cy="8" r="6"/><circle cx="8" cy="8" r="2" fill="currentColor"/>'
);
