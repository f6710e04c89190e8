// Runs one task at a time: asked again meanwhile, it runs the task once more at the end, so the last answer is the newest.

export class Latest {
  constructor(private readonly _task: () => Promise<void>) {}

  /** Resolves when a run of the task that began after this call has ended; rejects as that run does. */
  run(): Promise<void> {
    if (this._running === null) {
      this._running = this._task().finally(() => {
        this._running = null;
      });
      return this._running;
    }
    if (this._next === null) {
      const again = (): Promise<void> => {
        this._next = null;
        return this.run();
      };
      this._next = this._running.then(again, again);
    }
    return this._next;
  }

  private _running: Promise<void> | null = null;
  private _next: Promise<void> | null = null;
}
