// The plugins of the extension. Each can be disabled alone; the others then do without it.
import { apiPlugin } from './api/plugin';
import { badgesPlugin } from './badges/plugin';
import { notebookPlugin } from './notebook/plugin';
import { panelPlugin } from './panel/plugin';
import { runsPlugin } from './runs/plugin';
import { schedulesPlugin } from './schedules/plugin';
import { stepsPlugin } from './steps/plugin';

export default [
  apiPlugin,
  notebookPlugin,
  panelPlugin,
  stepsPlugin,
  runsPlugin,
  schedulesPlugin,
  badgesPlugin
];
