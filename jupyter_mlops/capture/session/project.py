"""The project that a kernel works in: its store, opened late, and what the project says of outputs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from jupyter_mlops.capture.session.author import warn
from jupyter_mlops.capture.session.context import KernelContext
from jupyter_mlops.errors import InputError
from jupyter_mlops.store.project.output_limit import CHARACTERS, output_limit

if TYPE_CHECKING:
    from jupyter_mlops.capture.session.events import StepListener
    from jupyter_mlops.store.store import Store


class KernelProject:
    """Costs nothing until someone asks for the store, in whichever thread."""

    def __init__(self, context: KernelContext) -> None:
        self._context = context
        self._opening = threading.Lock()
        self._store: Store | None = None
        self._output_limit: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether the store is open."""
        return self._store is not None

    @property
    def store(self) -> Store:
        """The project's store; opened, and made where it is missing, on first use."""
        if self._store is not None:
            return self._store
        with self._opening:
            if self._store is None:
                from jupyter_mlops.store.store import Store

                self._store = Store.open(self._context.start_folder)
            return self._store

    def output_limit(self, listener: StepListener) -> int:
        """Characters that are kept of what a step prints; asked of the project once. The author hears of a wrong one."""
        if self._output_limit is None:
            try:
                self._output_limit = output_limit(self.store.root)
            except InputError as error:
                self._output_limit = CHARACTERS
                warn(listener, error.message, error.hint)
        return self._output_limit
