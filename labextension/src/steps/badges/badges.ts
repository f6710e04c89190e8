// Keeps a badge on each step cell of one open notebook, up to date with its pipeline. It asks the server nothing.
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Cell as CellWidget } from '@jupyterlab/cells';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { formatDuration } from '../../framework/format';
import type { OpenNotebook } from '../../framework/notebook/openNotebook';
import { stepMarkOf } from '../name';
import type { Pipeline } from '../pipeline';
import { restoredText } from '../../framework/words';
import type { StepStatus } from '../../framework/wire';
import { Badge } from './badge';
import type { BadgeContent } from './badge';

/** JupyterLab leaves this line above each cell's input to extensions. */
const HEADER_CLASS = 'jp-CellHeader';
const MARKED_CLASS = 'jp-mlops-mod-step';

export class Badges implements IDisposable {
  constructor(private readonly _options: Badges.IOptions) {
    const { notebook, pipeline } = _options;
    pipeline.changed.connect(this._draw, this);
    notebook.cellsChanged.connect(this._draw, this);
    notebook.identityChanged.connect(this._draw, this);
    notebook.disposed.connect(this.dispose, this);
    this._draw();
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    Signal.disconnectReceiver(this);
    this._badges.forEach(badge => badge.remove());
    this._badges.clear();
  }

  private _draw(): void {
    const { notebook, pipeline } = this._options;
    if (this._isDisposed || notebook.panel.isDisposed) {
      return;
    }
    const steps = new Map(pipeline.steps.map(step => [step.cell_id, step]));
    const widgets = notebook.panel.content.widgets;
    const seen = new Set<CellWidget>();
    notebook.cells().forEach((cell, index) => {
      const mark = pipeline.state.foreign === null ? stepMarkOf(cell) : null;
      const widget = widgets[index];
      if (mark !== null && mark.name !== '' && widget?.model.id === cell.id) {
        seen.add(widget);
        const step = steps.get(cell.id);
        this._show(widget, contentOf(mark.name, step, this._options.trans));
      }
    });
    for (const [widget, badge] of this._badges) {
      if (!seen.has(widget)) {
        badge.remove();
        widget.removeClass(MARKED_CLASS);
        this._badges.delete(widget);
      }
    }
  }

  private _show(widget: CellWidget, content: BadgeContent): void {
    const { onClick, trans } = this._options;
    let badge = this._badges.get(widget);
    if (!badge) {
      badge = new Badge(trans, onClick);
      this._badges.set(widget, badge);
    }
    badge.show(content);
    this._attach(widget, badge);
  }

  private _attach(widget: CellWidget, badge: Badge): void {
    const header = headerOf(widget);
    if (header) {
      widget.addClass(MARKED_CLASS);
      if (badge.node.parentElement !== header) {
        header.append(badge.node);
      }
      return;
    }
    // A cell that was never near the viewport has no header yet.
    void widget.ready.then(() => {
      if (
        !widget.isDisposed &&
        this._badges.get(widget) === badge &&
        headerOf(widget)
      ) {
        this._attach(widget, badge);
      }
    });
  }

  private readonly _badges = new Map<CellWidget, Badge>();
  private _isDisposed = false;
}

export namespace Badges {
  export interface IOptions {
    notebook: OpenNotebook;
    pipeline: Pipeline;
    trans: TranslationBundle;
    onClick: () => void;
  }
}

function headerOf(widget: CellWidget): HTMLElement | null {
  for (const child of widget.layout ?? []) {
    if (child.hasClass(HEADER_CLASS)) {
      return child.node;
    }
  }
  return null;
}

function figureOf(step: StepStatus, trans: TranslationBundle): string {
  const took = step.duration === null ? '' : formatDuration(step.duration);
  return restoredText(step, trans) || took;
}

function contentOf(
  name: string,
  step: StepStatus | undefined,
  trans: TranslationBundle
): BadgeContent {
  const isCurrent = step?.name === name;
  return {
    name,
    state: isCurrent ? step.state : null,
    reason: isCurrent ? step.reason : '',
    figure: isCurrent ? figureOf(step, trans) : ''
  };
}
