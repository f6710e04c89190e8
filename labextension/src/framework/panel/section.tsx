// The base of everything in the panel that React draws: draws again when a model changes, and as time goes by.
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';
import type { IPanel } from './tokens';

/** How often "2 min ago" is looked at again, in milliseconds. */
const SLOW = 15_000;
const FAST = 1_000;

export abstract class Section
  extends ReactWidget
  implements IPanel.ISectionWidget
{
  constructor(id: string, label: string) {
    super();
    this.id = id;
    this.title.label = label;
    this.title.caption = label;
    this.addClass('jp-mlops-section');
  }

  /** Height of all it shows, in pixels. */
  get wantedHeight(): number {
    return Math.ceil(
      this._content.current?.getBoundingClientRect().height ?? 0
    );
  }

  /** Emitted when it has drawn itself again. */
  get drawn(): ISignal<this, void> {
    return this._drawn;
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._stopClock();
    Signal.disconnectReceiver(this);
    super.dispose();
    Signal.clearData(this);
  }

  /** What stands in it now. */
  protected abstract draw(): React.ReactElement | null;

  /** Draws again whenever `signal` is emitted. */
  protected follow(signal: ISignal<unknown, unknown>): void {
    signal.connect(this.onModelChanged, this);
  }

  /** Called on each change of what is followed. */
  protected onModelChanged(): void {
    this.update();
  }

  /** Whether something shown counts seconds. */
  protected isTicking(): boolean {
    return false;
  }

  protected override render(): React.ReactElement {
    return (
      <div className="jp-mlops-content" ref={this._content}>
        {this.draw()}
      </div>
    );
  }

  protected override onUpdateRequest(msg: Message): void {
    super.onUpdateRequest(msg);
    void this.renderPromise?.then(() => {
      if (!this.isDisposed) {
        this._drawn.emit();
      }
    });
    this._startClock();
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this.update();
  }

  protected override onBeforeDetach(msg: Message): void {
    this._stopClock();
    super.onBeforeDetach(msg);
  }

  private _startClock(): void {
    this._stopClock();
    this._timer = window.setTimeout(
      () => {
        if (this.isVisible) {
          this.update();
        }
      },
      this.isTicking() ? FAST : SLOW
    );
  }

  private _stopClock(): void {
    window.clearTimeout(this._timer);
  }

  private readonly _content = React.createRef<HTMLDivElement>();
  private readonly _drawn = new Signal<this, void>(this);
  private _timer = 0;
}
