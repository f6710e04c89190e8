"""Why a step runs: the first ingredient of its key that differs from the last time."""

from __future__ import annotations

from collections.abc import Mapping

_ORDER: tuple[str, ...] = ("code", "model", "input:", "file:", "exists:", "module:", "environment:", "library:")
_ORDER += ("effects", "packages", "python", "display")
_TEXTS = {
    "code": "its code changed",
    "model": "its --model changed",
    "effects": "a cell before it that configures libraries changed",
    "packages": "installed packages changed",
    "python": "the Python version changed",
    "display": "the shell's display settings changed",
}


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names of the ingredients that differ, the most telling first."""
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return sorted(changed, key=lambda name: (_rank(name), name))


def _rank(name: str) -> int:
    return next((place for place, prefix in enumerate(_ORDER) if name.startswith(prefix)), len(_ORDER))


def reason(name: str, producers: Mapping[str, str]) -> str:
    """One differing ingredient in words; `producers` says what bound an input."""
    kind, _, rest = name.partition(":")
    if kind == "input":
        producer = producers.get(rest, "")
        source = f" (from step {producer})" if producer and not producer.startswith("cell:") else ""
        return f"its input '{rest}' changed{source}"
    if kind == "exists":
        return f"{rest} came, went or became something else"
    if kind in ("file", "module", "library", "environment"):
        what = {"file": "the file", "module": "the module", "library": "the options of", "environment": "the variable"}
        return f"{what[kind]} {rest} changed"
    return _TEXTS.get(name, f"{name} changed")
