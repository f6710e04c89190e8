// The badge of one step cell: a thin line above its input with the step's name and state. Plain DOM, no model.
import type { TranslationBundle } from '@jupyterlab/translation';
import { stateIcons } from '../../framework/icons';
import { stateLabel } from '../../framework/words';
import type { StepState } from '../../framework/wire';

export interface BadgeContent {
  name: string;
  /** Null while the server has not said. */
  state: StepState | null;
  reason: string;
  figure: string;
}

export class Badge {
  constructor(
    private readonly _trans: TranslationBundle,
    onClick: () => void
  ) {
    this.node.className = 'jp-mlops-badge';
    this._button.type = 'button';
    this._button.className = 'jp-mlops-badge-button';
    this._icon.className = 'jp-mlops-mark';
    this._icon.setAttribute('aria-hidden', 'true');
    this._name.className = 'jp-mlops-badge-name';
    this._state.className = 'jp-mlops-badge-state';
    this._button.append(this._icon, this._name, this._state);
    this._button.addEventListener('click', onClick);
    this.node.append(this._button);
  }

  readonly node = document.createElement('div');

  show(content: BadgeContent): void {
    const shown = JSON.stringify(content);
    if (shown === this._shown) {
      return;
    }
    this._shown = shown;
    const { name, state, reason, figure } = content;
    const label = state === null ? '' : stateLabel(state, this._trans);
    this.node.dataset.step = name;
    this.node.dataset.state = state ?? '';
    this._icon.dataset.state = state ?? '';
    this._name.textContent = name;
    this._state.textContent = [label, figure].filter(Boolean).join(' · ');
    this._button.title = [label, reason].filter(Boolean).join(': ');
    this._button.setAttribute(
      'aria-label',
      this._trans.__('Step %1, %2. Show the MLOps panel.', name, label)
    );
    this._icon.replaceChildren();
    if (state !== null) {
      stateIcons[state].element({ container: this._icon, tag: 'span' });
    }
  }

  remove(): void {
    this.node.remove();
  }

  private readonly _button = document.createElement('button');
  private readonly _icon = document.createElement('span');
  private readonly _name = document.createElement('span');
  private readonly _state = document.createElement('span');
  private _shown = '';
}
