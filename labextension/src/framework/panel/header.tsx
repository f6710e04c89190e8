// The bridge from the models to the panel's header: which notebook, what can be done, what is wrong with the server.
import type { CommandRegistry } from '@lumino/commands';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type { IApi } from '../api/tokens';
import type { INotebooks } from '../notebook/tokens';
import type { OpenNotebook } from '../notebook/openNotebook';
import type { Actions } from './actions';
import { CommandIDs } from './commands';
import { Header } from './components/Header';
import type { HeaderAction } from './components/Header';
import { Section } from './section';

export class HeaderSection extends Section {
  constructor(private readonly _options: HeaderSection.IOptions) {
    super('jupyter-mlops-header', _options.trans.__('Notebook'));
    const { actions, api, commands, notebooks } = _options;
    this.follow(actions.changed);
    this.follow(commands.commandChanged);
    if (api) {
      this.follow(api.problemChanged);
    }
    if (notebooks) {
      this.follow(notebooks.currentChanged);
      notebooks.all.forEach(notebook => this.follow(notebook.identityChanged));
      notebooks.added.connect(this._onAdded, this);
    }
  }

  protected override draw(): React.ReactElement {
    const { api, commands, notebooks, trans } = this._options;
    const notebook = notebooks?.current ?? null;
    return (
      <Header
        trans={trans}
        notebook={notebook?.name ?? null}
        path={notebook?.path ?? ''}
        problem={api?.problem ?? null}
        actions={this._actions()}
        onRefresh={() => void commands.execute(CommandIDs.refresh)}
      />
    );
  }

  private _actions(): HeaderAction[] {
    const { actions, commands } = this._options;
    return actions.all
      .filter(({ command }) => commands.hasCommand(command))
      .map(({ command, primary }) => ({
        id: command,
        label: commands.label(command),
        caption: commands.caption(command),
        enabled: commands.isEnabled(command),
        primary: primary === true,
        onClick: () => void commands.execute(command)
      }));
  }

  private _onAdded(_: INotebooks, notebook: OpenNotebook): void {
    this.follow(notebook.identityChanged);
  }
}

export namespace HeaderSection {
  export interface IOptions {
    trans: TranslationBundle;
    commands: CommandRegistry;
    actions: Actions;
    api: IApi | null;
    notebooks: INotebooks | null;
  }
}
