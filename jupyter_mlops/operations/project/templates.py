"""Templates: project skeletons, found along Jupyter's data path, and the making of a project from one.

A template is a folder `share/jupyter/mlops/templates/NAME` with a `template.json` (title, description, main notebook);
all else in it is copied. In a source checkout its own `templates/` comes first.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlops.domain.json_text import loads
from jupyter_mlops.errors import InputError, NotWritableError, StoreError, UnknownNameError
from jupyter_mlops.store.files.disk import refused
from jupyter_mlops.store.project.folder import make_project

DESCRIPTION = "template.json"
_CHECKOUT = Path(__file__).resolve().parents[3]
_LEFT_OUT = shutil.ignore_patterns(DESCRIPTION, "__pycache__", ".ipynb_checkpoints", ".mlops", "runs")


@dataclass(frozen=True)
class Template:
    """A project skeleton. `notebook` is the main notebook's path in it; `folder` where the skeleton lies."""

    name: str
    title: str
    description: str
    notebook: str
    folder: Path


@dataclass(frozen=True)
class NewProject:
    """A project made from a template: its folder and its main notebook, both absolute."""

    template: str
    folder: Path
    notebook: Path


def template_folders() -> tuple[Path, ...]:
    """Where templates are looked for, in order: the first of a name is taken."""
    from jupyter_core.paths import jupyter_path

    own = [_CHECKOUT / "templates"] if _is_checkout(_CHECKOUT) else []
    return (*own, *(Path(folder) for folder in jupyter_path("mlops", "templates")))


def list_templates(folders: Sequence[Path] | None = None) -> list[Template]:
    """All templates, by name. A folder whose `template.json` is no description raises `InputError`."""
    found: dict[str, Template] = {}
    for folder in template_folders() if folders is None else folders:
        for path in sorted(folder.glob(f"*/{DESCRIPTION}")):
            found.setdefault(path.parent.name, _read(path))
    return sorted(found.values(), key=lambda template: template.name)


def find_template(name: str, folders: Sequence[Path] | None = None) -> Template:
    """The template of this name. Raises `UnknownNameError`, or `InputError` where the files of one cannot be read."""
    templates = {template.name: template for template in list_templates(folders)}
    if name not in templates:
        raise UnknownNameError.among("template", name, templates)
    return templates[name]


def new_project(template: str, folder: Path, *, folders: Sequence[Path] | None = None) -> NewProject:
    """Make `folder` a project with the template's files. Nothing is left of it where that fails.

    Raises
    ------
    UnknownNameError
        There is no such template.
    InputError
        `folder` is a file, or holds something already.
    NotWritableError
        `folder` cannot be made or written.
    """
    skeleton = find_template(template, folders)
    target = Path(os.path.abspath(folder))
    existed = _check_free(target)
    made_parents = tuple(_missing_parents(target))
    stage = (target if existed else target.parent) / f".{target.name}.{secrets.token_hex(4)}.new"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _stage(skeleton, stage)
        if existed:
            _move_into(stage, target)
        else:
            stage.rename(target)
    except (OSError, StoreError) as error:
        shutil.rmtree(stage, ignore_errors=True)
        for parent in made_parents:
            _remove_empty(parent)
        if isinstance(error, StoreError):
            raise
        raise refused(error, f"The project cannot be made in '{target}'", target.parent) from error
    return NewProject(skeleton.name, target, target / skeleton.notebook)


def _stage(skeleton: Template, stage: Path) -> None:
    shutil.copytree(skeleton.folder, stage, ignore=_LEFT_OUT)
    for path in (stage, *stage.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)  # a template may be installed read-only; a project is to be worked on
    make_project(stage)


def _move_into(stage: Path, target: Path) -> None:
    moved: list[Path] = []
    try:
        for entry in sorted(stage.iterdir()):
            moved.append(entry.rename(target / entry.name))
    except OSError:
        for path in moved:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        raise
    stage.rmdir()


def _check_free(target: Path) -> bool:
    """Whether `target` exists (as an empty folder). Raises `InputError` where it holds something or is a file."""
    try:
        taken = next(target.iterdir(), None)
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        if not target.exists():  # a file stands above it: making it says so
            return False
        raise InputError(f"'{target}' is a file, not a folder.", "Use a folder that does not exist yet.") from None
    except OSError as error:
        raise NotWritableError(
            f"'{target}' cannot be read: {error.strerror}.", "Use a folder that you can write to."
        ) from error
    if taken is not None:
        raise InputError(
            f"The folder '{target}' is not empty (it holds '{taken.name}').",
            "Use a folder that does not exist yet, or an empty one; nothing is ever overwritten.",
        )
    return True


def _missing_parents(target: Path) -> Iterator[Path]:
    for parent in target.parents:
        if parent.exists():
            return
        yield parent


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # not made after all, or someone else put something into it


def _read(path: Path) -> Template:
    try:
        values = loads(path.read_bytes())
        template = Template(
            name=path.parent.name,
            title=str(values["title"]),
            description=str(values["description"]),
            notebook=str(values["notebook"]),
            folder=path.parent,
        )
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(
            f"'{path}' does not describe a template: {error!r}.",
            'Make it JSON with "title", "description" and "notebook", each a string.',
        ) from error
    return template


def _is_checkout(folder: Path) -> bool:
    try:
        return 'name = "jupyter-mlops"' in (folder / "pyproject.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
