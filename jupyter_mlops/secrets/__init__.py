"""Secrets by reference: `secret("NAME")` gives a value that no source, output, log or record ever shows.

It is looked up in the kernel, in the environment (`MLOPS_SECRET_<NAME>`), the project's file, the user's, the keyring.
"""

from __future__ import annotations

from jupyter_mlops.secrets.text import Secret, look_up_by

__all__ = ["Secret", "secret"]


def secret(name: str) -> Secret:
    """The secret called `name`, as text. Whatever this kernel shows from now on has `<secret NAME>` in its place.

    Raises `NoSecretError` where no place has it, telling which were looked at.
    """
    from jupyter_mlops.secrets.known import KNOWN
    from jupyter_mlops.secrets.lookup import look_up

    value = look_up(name)
    KNOWN.ask(name)
    if len(value) < 4:
        _warn_of_short(name)
    return value


def _warn_of_short(name: str) -> None:
    import warnings

    warnings.warn(
        f"The secret '{name}' is shorter than 4 characters: it is hidden only where it appears as a separate word.",
        stacklevel=3,
    )


look_up_by.append(secret)
