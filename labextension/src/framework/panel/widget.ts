// The side panel: a header, forms, and an accordion of sections that other plugins add.
import { SidePanel } from '@jupyterlab/ui-components';
import type { TranslationBundle, ITranslator } from '@jupyterlab/translation';
import { DisposableDelegate } from '@lumino/disposable';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import { AccordionPanel, Panel } from '@lumino/widgets';
import type { Widget } from '@lumino/widgets';
import { mlopsIcon } from '../icons';
import type { Actions } from './actions';
import { shareHeights } from './heights';
import type { IPanel } from './tokens';

export const PANEL_ID = 'jupyter-mlops-panel';

export class MLOpsPanel extends SidePanel implements IPanel {
  constructor(options: MLOpsPanel.IOptions) {
    super({ translator: options.translator, header: new Panel() });
    this.id = PANEL_ID;
    this.title.icon = mlopsIcon;
    this.title.caption = options.trans.__('MLOps');
    this.addClass('jp-mlops-panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', options.trans.__('MLOps'));
    this.header.addClass('jp-mlops-header');
    this._actions = options.actions;
    this._reveal = options.reveal;
    if (this.content instanceof AccordionPanel) {
      this.content.handleMoved.connect(this._onHandleMoved, this);
      this.content.expansionToggled.connect(this._share, this);
    }
  }

  addSection(section: IPanel.ISection): IDisposable {
    const at = this._sections.filter(each => each.rank <= section.rank).length;
    this._sections.splice(at, 0, section);
    this.insertWidget(at, section.widget);
    section.widget.drawn.connect(this._share, this);
    return this._removal(section.widget, () => {
      this._sections = this._sections.filter(each => each !== section);
    });
  }

  addForm(form: Widget): IDisposable {
    this.header.addWidget(form);
    return this._removal(form);
  }

  addAction(action: IPanel.IAction): IDisposable {
    return this._actions.add(action);
  }

  reveal(): void {
    this._reveal();
  }

  protected override onResize(msg: Widget.ResizeMessage): void {
    super.onResize(msg);
    this._share();
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._share();
  }

  /** Gives each section the height its content needs, until the user moves a handle. */
  private _share(): void {
    const { content } = this;
    if (
      !this.isVisible ||
      this._isArranged ||
      !(content instanceof AccordionPanel)
    ) {
      return;
    }
    const open = this._sections.filter(({ widget }) => !widget.isHidden);
    const titles = content.titles.reduce(
      (sum, title) => sum + title.offsetHeight,
      0
    );
    // Without the room of the handles in between each section is cut by some pixels, and scrolls for ever.
    const handles = content.spacing * Math.max(0, open.length - 1);
    const heights = shareHeights(
      open.map(({ widget }) => widget.wantedHeight),
      content.node.clientHeight - titles - handles
    );
    content.setRelativeSizes(
      this._sections.map(section => heights[open.indexOf(section)] ?? 0)
    );
  }

  private _onHandleMoved(): void {
    this._isArranged = true;
  }

  private _removal(widget: Widget, also?: () => void): IDisposable {
    return new DisposableDelegate(() => {
      widget.parent = null;
      also?.();
    });
  }

  private readonly _actions: Actions;
  private readonly _reveal: () => void;
  private _sections: IPanel.ISection[] = [];
  private _isArranged = false;
}

export namespace MLOpsPanel {
  export interface IOptions {
    trans: TranslationBundle;
    translator?: ITranslator;
    actions: Actions;
    /** Brings the panel to the front. */
    reveal: () => void;
  }
}
