"""What all routes share: who may call them, how a body is read, and how an error looks.

Every verb of a handler carries `@web.authenticated` and `@may(ACTION)`; a POST needs the XSRF token unless it shows the
server's token, as everywhere in Jupyter. An error of any kind is answered as `{code, message, hint}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.errors import InputError, MLOpsError, TooLargeError
from jupyter_mlops.server.framework.answers import ErrorAnswer

if TYPE_CHECKING:
    from jupyter_mlops.server.framework.events import ProjectsWatch
    from jupyter_mlops.server.framework.projects import Projects
    from jupyter_mlops.server.framework.turns import Turns

P = ParamSpec("P")
T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])

NAME = "jupyter_mlops"

_CODES = {
    400: ("input", "See the documentation of the route."),
    403: ("forbidden", "Log in to this Jupyter server and reload the page, or ask its owner for access."),
    404: ("not_found", "See the documentation for the routes there are."),
    405: ("method_not_allowed", "See the documentation of the route."),
}


def may(action: str) -> Callable[[Method], Method]:
    """Jupyter's `@authorized` for one of its actions: "read", "write" or "execute"."""
    return cast("Callable[[Method], Method]", authorized(action))


class Extension(Protocol):
    """What handlers need of the server extension, which they find in the settings."""

    projects: Projects
    watch: ProjectsWatch
    turns: Turns


class MLOpsHandler(APIHandler):
    """Base of our handlers."""

    auth_resource = NAME
    most_bytes = 1 << 20
    """How large the body of a request may be."""

    @property
    def projects(self) -> Projects:
        """The projects of this server."""
        return self._app.projects

    @property
    def _app(self) -> Extension:
        app: Extension = self.settings[NAME]
        return app

    async def on_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what blocks (SQL, files) on a thread; afterwards the projects it asked for are watched."""
        try:
            return await self.projects.run(function, *args, **kwargs)
        finally:
            self._app.watch.wake()

    async def in_turn(
        self, subject: Hashable, question: Hashable, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `on_thread`: requests of one `subject` wait for one another, and those alike (`question`) share an answer."""
        return await self._app.turns.ask(
            (type(self), subject), question, lambda: self.on_thread(function, *args, **kwargs)
        )

    def answer(self, value: Any, status: int = 200) -> None:
        """Send `value` (anything `to_wire` takes)."""
        self.set_status(status)
        self.finish(json.dumps(to_wire(value), allow_nan=False))

    def body(self) -> dict[str, Any]:
        """The JSON object of the request's body. Raises `InputError`."""
        size = len(self.request.body)
        if size > self.most_bytes:
            raise TooLargeError(
                f"The body of the request has {size:,} bytes; the limit is {self.most_bytes:,}.",
                "Write large values into a file and pass its path.",
            )
        try:
            body = json.loads(self.request.body)
        except (ValueError, RecursionError) as error:
            raise InputError(f"The body of the request is not JSON: {error}.", "Send a JSON object.") from error
        if not isinstance(body, dict):
            raise InputError("The body of the request is not a JSON object.", "Send a JSON object.")
        return body

    def path_argument(self) -> str:
        """The contents path in the query; "" (the served folder) where there is none."""
        return str(self.get_query_argument("path", ""))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error that a handler raised, or that Jupyter raised before it."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if isinstance(error, MLOpsError):
            self.set_status(error.http_status)
            answer = ErrorAnswer(error.code, error.message, error.hint)
        elif isinstance(error, web.HTTPError):
            code, hint = _CODES.get(status_code, ("http", "See the log of the Jupyter server."))
            answer = ErrorAnswer(code, error.log_message or self._reason, hint)
        else:
            answer = ErrorAnswer(
                "unexpected",
                f"An unexpected error occurred in the server: {type(error).__name__}.",
                "See the log of the Jupyter server, and please report the error with the traceback found there.",
            )
        self.finish(json.dumps(to_wire(answer)))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Errors raised on purpose need no traceback unless something of ours failed."""
        if isinstance(value, MLOpsError) and value.http_status < 500:
            self.log.warning("%s %s: %s", self.request.method, self.request.path, value.message)
        else:
            super().log_exception(typ, value, tb)


def field(body: dict[str, Any], name: str, kind: type[T]) -> T:
    """A field of a body. Raises `InputError` where it is missing or not of its kind."""
    if name not in body:
        raise InputError(f"The field '{name}' is missing.", f"Send it as {_WORDS[kind]}.")
    value = body[name]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(f"The field '{name}' is not {_WORDS[kind]}.", f"Send it as {_WORDS[kind]}.")
    return value


_WORDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    list: "a list",
    dict: "an object",
    bool: "true or false",
}


Routes = tuple[tuple[str, type[MLOpsHandler]], ...]
"""What a noun offers: a pattern of paths, and who answers there."""
