// The plugins of the extension. Each can be disabled alone; the others then do without it.
import { apiPlugin } from './framework/api/plugin';
import { badgesPlugin } from './steps/badges/plugin';
import { notebookPlugin } from './framework/notebook/plugin';
import { panelPlugin } from './framework/panel/plugin';
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
