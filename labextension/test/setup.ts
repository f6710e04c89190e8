// What JupyterLab's packages expect of a browser and jsdom does not have.
import { afterEach } from 'vitest';
import { cleanup } from '@testing-library/react';

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

afterEach(() => cleanup());
