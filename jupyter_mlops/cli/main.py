"""`jupyter mlops VERB`: parses, calls the verb, prints its view. Exit codes: 0 done, 1 failed, 2 usage."""

from __future__ import annotations

import json
import logging
import sys
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from jupyter_mlops.domain.wire import to_wire
from jupyter_mlops.errors import MLOpsError
from jupyter_mlops.verbs import table
from jupyter_mlops.verbs.framework.verb import CLI, Context

PROGRAM = "jupyter mlops"


def main(argv: list[str] | None = None) -> int:
    """The console script `jupyter-mlops`."""
    words = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)  # what nbclient says of a dead kernel, we say better
    if words[:1] in (["-h"], ["--help"]):
        words[0] = "help"
    if words[:1] == ["--version"]:
        sys.stdout.write(f"{version('jupyter-mlops')}\n")
        return 0
    errors = Console(stderr=True, soft_wrap=True)
    try:
        view, arguments = table.call(words, Context(CLI, Path.cwd(), Console(stderr=True)), PROGRAM)
        if arguments.json:
            sys.stdout.write(json.dumps(to_wire(view.data), indent=2, ensure_ascii=False) + "\n")
        else:
            _console().print(view.show(), crop=False)
        sys.stdout.flush()
    except MLOpsError as error:
        errors.print(f"[bold red]Error:[/] {escape(error.message)}", highlight=False)
        if error.hint:
            errors.print(f"[bold]Hint:[/] {escape(error.hint)}", highlight=False)
        return error.exit_code
    except KeyboardInterrupt:
        errors.print("Interrupted.")
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    return view.exit_code


def _console() -> Console:
    """Where output is no terminal, lines are not cut to a width no one has."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=160)


if __name__ == "__main__":
    sys.exit(main())
