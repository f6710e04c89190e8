"""The options of a step, as `%%step NAME --option value`, as cell tags `option:value`, or as `mlops` in a cell's metadata."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from jupyter_mlops.domain.step_spec import StepSpec
from jupyter_mlops.errors import InputError

STEP = "step"
UNKNOWN = "mlops-unknown"
"""The tag that an unknown option in a cell's metadata becomes, so that it is refused where tags are read."""
_NAME = re.compile(r"[^\W\d][\w-]*\Z")
LONGEST_NAME = 200
"""Characters of a step's name, which every list shows."""
LONGEST_LINE = 50_000
LONGEST_VALUE = 10_000
"""Characters that one option of a step may take, in its line, a tag or the metadata."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
FLAGS = ("no-cache", "repeatable", "skip")
_MANY = ("reads", "writes")
"""Options whose value is one path, and that may be given several times."""
LISTS = ("metrics", "params", "inputs", "outputs")
_CLAIMS = ("inputs", "outputs")
"""Lists that may be empty: that says "none"."""
VALUES: dict[str, str] = {
    **dict.fromkeys(LISTS, "A,B"),
    **dict.fromkeys(_MANY, "PATH"),
    "model": "VARIABLE",
    "ttl": "DURATION",
    "kind": "WORD",
    "timeout": "DURATION",
    "retries": "NUMBER",
    "skip-if": "EXPRESSION",
}
OPTIONS = (*FLAGS, *VALUES)
USAGE = f"Usage: %%step NAME {' '.join([f'[--{name} {value}]' for name, value in VALUES.items()])} " + " ".join(
    f"[--{name}]" for name in FLAGS
)
Given: TypeAlias = list[tuple[str, str]]


def parse_step_line(line: str) -> StepSpec:
    """What stands after `%%step`. Raises `InputError`."""
    if len(line) > LONGEST_LINE:  # the time to split one grows by the square
        raise InputError(f"The line of %%step has {len(line):,} characters; the limit is {LONGEST_LINE:,}.", USAGE)
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InputError(f"'%%step{line}' cannot be read: {error}.", USAGE) from error
    given: Given = []
    names: list[str] = []
    while words:
        word, equals, value = words.pop(0).partition("=")
        if not word.startswith("-"):
            names.append(word + equals + value)
            continue
        option = word[2:] if word.startswith("--") else word
        if option not in OPTIONS:
            raise InputError(f"%%step has no option '{word}'.", _nearest(option, [f"--{name}" for name in OPTIONS]))
        if option in FLAGS and equals:
            raise InputError(f"'{word}' of %%step takes no value.", f"Write only {word}.")
        if option not in FLAGS and not equals:
            if not words or words[0].startswith("--"):
                none = f"; {word} '' declares none" if option in _CLAIMS else ""
                raise InputError(f"'{word}' of %%step needs a value.", f"Write {word} {VALUES[option]}{none}.")
            value = words.pop(0)
        given.append((option, value))
    if len(names) != 1:
        raise InputError("%%step needs exactly one name.", USAGE)
    return _spec(names[0], given, lambda option: f"--{option}")


def spec_from_tags(tags: Sequence[str]) -> StepSpec | None:
    """The same from cell tags: `step:NAME`, `metrics:A,B`, `ttl:1d`, `no-cache`, ... Raises `InputError`."""
    names = list(dict.fromkeys(tag.partition(":")[2] for tag in tags if tag.startswith(f"{STEP}:")))
    if not names:
        return None
    if len(names) > 1:
        raise InputError(f"A cell has two step tags: {', '.join(names)}.", "Keep one of them.")
    return spec_named(names[0], tags)


def spec_named(name: str, tags: Sequence[str], *, named: bool = True) -> StepSpec:
    """What tags ask for of a step whose name is known. Raises `InputError`."""
    unknown = [tag.partition(":")[2] for tag in tags if tag.startswith(f"{UNKNOWN}:")]
    if unknown:
        raise InputError(
            f"The metadata 'mlops' of a cell has no option '{unknown[0]}'.", _nearest(unknown[0], [STEP, *OPTIONS])
        )
    given: Given = []
    for tag in tags:
        option, colon, value = tag.partition(":")
        if option in FLAGS and not colon:
            given.append((option, ""))
        elif option in VALUES and colon:
            given.append((option, value))
    return _spec(name, given, lambda option: f"{option}:", named=named)


def tags_of(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """A cell's tags, with those that its metadata `mlops` (`{"step": "train", "ttl": "1d"}`) stands for."""
    listed = metadata.get("tags", ())
    tags = [str(tag) for tag in listed] if isinstance(listed, (list, tuple)) else []
    asked = metadata.get("mlops")
    if not isinstance(asked, dict):
        return tuple(tags)
    for key, value in asked.items():
        option = str(key).replace("_", "-")
        if option not in (STEP, *OPTIONS):
            tags.append(f"{UNKNOWN}:{key}")
        elif option in FLAGS:
            tags += [option] if value is True else [] if value in (False, None) else [f"{UNKNOWN}:{key}={value}"]
        elif value is None:
            continue
        elif isinstance(value, (list, tuple)):
            texts = [str(item) for item in value]
            tags += [f"{option}:{text}" for text in texts] if option in _MANY else [f"{option}:{','.join(texts)}"]
        else:
            number = isinstance(value, (int, float)) and option in ("ttl", "timeout")
            tags.append(f"{option}:{value}{'s' if number else ''}")
    return tuple(dict.fromkeys(tags))


def check_step_name(name: str) -> str:
    """`name` where it can name a step. Raises `InputError`."""
    if len(name) > LONGEST_NAME:
        raise InputError(
            f"The step name that begins with '{name[:40]}' has {len(name):,} characters.",
            f"Use at most {LONGEST_NAME} characters.",
        )
    if not _NAME.match(name):
        raise InputError(
            f"'{name}' is not a valid step name.",
            "Use one word of letters, digits, '_' and '-' that starts with a letter, such as train or clean_data.",
        )
    return name


def parse_duration(text: str, option: str) -> float:
    """Seconds of "30s", "5m", "1.5h", "1d" or "2w". Raises `InputError`."""
    match = _DURATION.match(text.strip())
    if match is None:
        raise InputError(
            f"'{text}' of '{option}' is not a duration.",
            "Write a number and a unit, s, m, h, d or w: 30s, 1.5h, 1d.",
        )
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds < math.inf:
        raise InputError(
            f"'{text}' of '{option}' is not a positive duration.",
            "Use more than 0. To always run a step, use --no-cache.",
        )
    return seconds


def _spec(name: str, given: Given, written: Callable[[str], str], *, named: bool = True) -> StepSpec:
    """The checked spec; `written` says how an option is written where the author wrote it."""
    if named:
        check_step_name(name)
    options: dict[str, Any] = {}
    for option, value in given:
        shown, field = written(option), option.replace("-", "_")
        if len(value) > LONGEST_VALUE:
            raise InputError(
                f"'{shown}' of step '{name}' has {len(value):,} characters; the limit is {LONGEST_VALUE:,}.",
                "Make it shorter, or leave it out.",
            )
        if option in options and option not in (*_MANY, *LISTS, *FLAGS):
            raise InputError(f"'{shown}' of step '{name}' is given twice.", "Keep one of them.")
        if option in FLAGS:
            options[field] = True
        elif option in LISTS:
            options[field] = (*options.get(field, ()), *(item for item in value.replace(" ", "").split(",") if item))
        elif option in _MANY:
            options[field] = (*options.get(field, ()), value)
        elif option in ("ttl", "timeout"):
            options[field] = parse_duration(value, shown)
        else:
            options[field] = value
        if not value and option not in (*FLAGS, *_CLAIMS):
            raise InputError(f"'{shown}' of step '{name}' needs a value.", f"Write {VALUES[option]} after it.")
    _check(name, options, written)
    return StepSpec(name=name, named=named, **options)


def _check(name: str, options: dict[str, Any], written: Callable[[str], str]) -> None:
    for option in (*LISTS, "model"):
        values = options.get(option) or ()
        for variable in (values,) if isinstance(values, str) else values:
            if not variable.isidentifier():
                raise InputError(
                    f"'{variable}' of step '{name}' is not a variable name.",
                    f"Write {written(option)} {VALUES[option]} with variable names.",
                )
    if "retries" in options:
        if not options["retries"].strip().isdecimal():
            raise InputError(
                f"'{options['retries']}' of '{written('retries')}' is not a number.", "Write a whole number, 0 or more."
            )
        options["retries"] = int(options["retries"])
    if "kind" in options and not (_NAME.match(options["kind"]) and len(options["kind"]) <= LONGEST_NAME):
        raise InputError(f"'{options['kind']}' of '{written('kind')}' is not one word.", "Write one, such as train.")
    for other in ("ttl", "repeatable"):
        if options.get("no_cache") and other in options:
            raise InputError(
                f"Step '{name}' asks for '{written('no-cache').rstrip(':')}' and '{written(other).rstrip(':')}' at once.",
                "The first says never to reuse its result, the second says to reuse it: keep only one.",
            )


def _nearest(option: str, known: Iterable[str]) -> str:
    import difflib

    names = list(known)
    sought = option[:LONGEST_NAME]
    close = difflib.get_close_matches(sought, [*names, *(name.lstrip("-") for name in names)], n=1, cutoff=0.5)
    if not close:
        return f"Known: {', '.join(sorted(names))}."
    return f"Did you mean '{next(name for name in names if name.lstrip('-') == close[0].lstrip('-'))}'?"
