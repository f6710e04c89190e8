// Says what went wrong with something that was asked for, until it is dismissed.
import { Notification } from '@jupyterlab/apputils';
import type { ApiError } from './errors';

export function complain(error: ApiError): void {
  Notification.error(`${error.message}\n${error.hint}`.trim(), {
    autoClose: false
  });
}
