// What the models need of an open notebook, and nothing of how JupyterLab keeps it: tests hand in a plain object.
import type { IObservableDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import type { Cell, Json } from '../wire';

export interface INotebookSource extends IObservableDisposable {
  /** Path for the contents manager. */
  readonly path: string;
  /** File name, as shown. */
  readonly name: string;
  /** Language of its kernel in lower case; null while that is not known. */
  readonly language: string | null;
  /** Whether its cells are there: until then it seems to have none. */
  readonly isReady: boolean;
  /** Resolves when they are. */
  readonly ready: Promise<void>;
  /** Id of its kernel, or null where it has none. */
  readonly kernel: string | null;
  /** What papermill noted in its metadata, or null: a run left it behind. */
  readonly papermill: Json;
  /** Whether it can be seen now. */
  readonly isVisible: boolean;
  /** The cell that has the focus, if any. */
  readonly activeCell: Cell | null;

  /** The cells as they are in the editor, unsaved changes too. */
  cells(): Cell[];
  /** Replaces the tags of a cell. */
  setTags(cellId: string, tags: string[]): void;
  /** Adds a code cell above all others. */
  insertOnTop(source: string): void;
  /** Shows a cell and makes it the active one. False where there is no such cell. */
  reveal(cellId: string): Promise<boolean>;
  /** Writes the notebook to disk where it has unsaved changes. Rejects where that failed. */
  save(): Promise<void>;

  /** Cells, their source or their tags changed; emitted once things are quiet. */
  readonly cellsChanged: ISignal<INotebookSource, void>;
  /** A cell was executed, or the kernel started again. */
  readonly executed: ISignal<INotebookSource, void>;
  /** The path, the language or the kernel changed. */
  readonly identityChanged: ISignal<INotebookSource, void>;
  /** Another cell became active. */
  readonly activeCellChanged: ISignal<INotebookSource, void>;
}
