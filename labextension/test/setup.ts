// What JupyterLab's packages expect of a browser and jsdom does not have.
import { afterEach } from 'vitest';
import { cleanup } from '@testing-library/react';
import { MessageLoop } from '@lumino/messaging';
import {
  unstable_IdlePriority as IDLE,
  unstable_getFirstCallbackNode as firstCallback,
  unstable_scheduleCallback as schedule
} from 'scheduler';

class Observer {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

Object.assign(globalThis, {
  DragEvent: class DragEvent extends Event {},
  ResizeObserver: Observer,
  IntersectionObserver: Observer
});

Object.defineProperty(window, 'matchMedia', {
  value: () => ({
    matches: false,
    addEventListener: () => undefined,
    removeEventListener: () => undefined
  })
});

/** Lets all that Lumino and React have put off happen now: an idle callback comes after every other one. */
async function settle(): Promise<void> {
  do {
    MessageLoop.flush();
    await new Promise<void>(resolve => schedule(IDLE, resolve));
  } while (firstCallback() !== null);
}

// What a test shows is gone before the next begins, and before jsdom is: React would miss its window.
afterEach(async () => {
  cleanup();
  await settle();
});
