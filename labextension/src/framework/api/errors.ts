// What went wrong with a request, in the words the panel shows: what happened, and what to do next.
import type { TranslationBundle } from '@jupyterlab/translation';

/** The server answered, but has no jupyter-mlops routes. */
export const SERVER_MISSING = 'server_missing';

/** The server did not answer. */
export const OFFLINE = 'offline';

/** The server refused us, whatever we ask. */
export const FORBIDDEN = 'forbidden';

export class ApiError extends Error {
  constructor(
    message: string,
    readonly hint: string,
    readonly code: string,
    readonly status: number
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** The error for an answer outside 2xx whose body was `body`. */
export function errorOfAnswer(
  status: number,
  body: unknown,
  trans: TranslationBundle
): ApiError {
  if (isErrorAnswer(body)) {
    return new ApiError(body.message, body.hint ?? '', body.code, status);
  }
  if (status === 404) {
    return new ApiError(
      trans.__('The server part of jupyter-mlops is not running.'),
      trans.__(
        'Run "jupyter server extension enable jupyter_mlops" in the environment of JupyterLab, then restart JupyterLab.'
      ),
      SERVER_MISSING,
      status
    );
  }
  if (status === 401 || status === 403) {
    return new ApiError(
      trans.__('The Jupyter server refused the request.'),
      trans.__(
        'Your login may have expired: reload the page and log in again.'
      ),
      FORBIDDEN,
      status
    );
  }
  return new ApiError(
    trans.__('The Jupyter server failed to answer (status %1).', status),
    trans.__('See the log of the Jupyter server for the reason.'),
    'error',
    status
  );
}

/** The error for a request that got no answer at all. */
export function errorOfSilence(trans: TranslationBundle): ApiError {
  return new ApiError(
    trans.__('The Jupyter server does not answer.'),
    trans.__('Check that it is still running and that you are connected.'),
    OFFLINE,
    0
  );
}

/** Whether the error stands for every request, not for the one that met it. */
export function isGeneral(error: ApiError): boolean {
  return [SERVER_MISSING, OFFLINE, FORBIDDEN].includes(error.code);
}

/** Any thrown value as an `ApiError`. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new ApiError(message, '', 'error', 0);
}

function isErrorAnswer(
  body: unknown
): body is { code: string; message: string; hint?: string } {
  return (
    typeof body === 'object' &&
    body !== null &&
    typeof (body as { code?: unknown }).code === 'string' &&
    typeof (body as { message?: unknown }).message === 'string'
  );
}
