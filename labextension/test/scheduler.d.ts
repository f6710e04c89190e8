// What the tests use of the scheduler that react-dom runs on; it comes without types.
declare module 'scheduler' {
  export const unstable_IdlePriority: number;
  export function unstable_scheduleCallback(
    priority: number,
    callback: () => void
  ): unknown;
  export function unstable_getFirstCallbackNode(): object | null;
}
