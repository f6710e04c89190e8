"""One verb in the list of its noun."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_mlops.verbs.framework.verb import CLI, MAGIC

__all__ = ["CLI", "MAGIC", "Entry"]


@dataclass(frozen=True)
class Entry:
    """A verb's name, its line of help, and where it is offered."""

    name: str
    help: str
    surfaces: tuple[str, ...] = (CLI, MAGIC)
    module: str = ""
    """The module below `verbs/` that has it; in the list of a noun, its file where that is not called as the verb is: a verb
    of one name may do its work in another way on either surface."""

    @property
    def path(self) -> str:
        """The module's whole name."""
        return f"jupyter_mlops.verbs.{self.module}"
