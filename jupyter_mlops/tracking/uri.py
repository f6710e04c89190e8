"""Which MLflow store a project's runs go to, and under which experiment. Imports no MLflow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from jupyter_mlops.domain.run import Run, TrackedAt
from jupyter_mlops.store.project.folder import FOLDER


def own_database(root: Path) -> Path:
    """The project's own tracking store: a SQLite file."""
    return root / FOLDER / "mlflow.db"


def artifacts_folder(root: Path) -> Path:
    """Where the project's own tracking store keeps artifacts."""
    return root / FOLDER / "mlartifacts"


def own_uri(root: Path) -> str:
    """The tracking URI of the project's own store."""
    return sqlite_uri(own_database(root))


def sqlite_uri(path: Path) -> str:
    """The tracking URI of a SQLite file. SQLAlchemy reads `%` and `?` in it as a URL does, from 2.1 on."""
    text = path.as_posix()
    return f"sqlite:///{quote(text, safe='/: ') if set(text) & set('%?#') else text}"


def sqlite_path(address: str) -> Path | None:
    """The file of a SQLite tracking URI; None for any other."""
    if not address.startswith("sqlite:///") or address.startswith("sqlite:///:memory:"):
        return None
    return Path(unquote(address.removeprefix("sqlite:///").partition("?")[0]))


def local_folder(artifacts: str | None) -> Path | None:
    """The folder of this machine that an artifact URI names; None for any other."""
    if artifacts is None or not artifacts.startswith("file:///"):
        return None
    from urllib.request import url2pathname  # imports http.client and ssl

    return Path(url2pathname(urlsplit(artifacts).path))


def tracking_uri(root: Path, environ: Mapping[str, str] | None = None) -> str:
    """`MLFLOW_TRACKING_URI` where it is set, else the project's own store."""
    found = (os.environ if environ is None else environ).get("MLFLOW_TRACKING_URI")
    return absolute_uri(found, root) if found else own_uri(root)


def uri_of(run: Run, root: Path) -> str:
    """The tracking store of `run`: what was remembered with it, else what holds for the project."""
    return run.tracked_at.uri or tracking_uri(root)


def experiment_name(root: Path) -> str:
    """The name of the project's experiment: that of its folder."""
    return root.name or "notebooks"


def place_of(root: Path, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> TrackedAt:
    """Where a run is tracked, to be kept with it when it is made; nothing for the project's own store.

    The writer is another process, perhaps started from elsewhere: it must not decide by its own environment. A
    relative URI is read from `folder`, as MLflow reads it from the working directory.
    """
    environ = os.environ if environ is None else environ
    uri = environ.get("MLFLOW_TRACKING_URI")
    uri = absolute_uri(uri, folder or Path.cwd()) if uri else ""
    name = environ.get("MLFLOW_EXPERIMENT_NAME", "")
    number = "" if name else environ.get("MLFLOW_EXPERIMENT_ID", "")
    return TrackedAt("" if uri == own_uri(root) else uri, name, number)


def absolute_uri(uri: str, folder: Path) -> str:
    """`uri` such that it means the same in every working directory; relative paths start at `folder`."""
    if uri.startswith("sqlite:///") and not uri.startswith("sqlite:////") and uri != "sqlite:///:memory:":
        path = uri.removeprefix("sqlite:///")
        if os.path.isabs(path):  # a Windows drive
            return uri
        return f"sqlite:///{Path(os.path.abspath(folder / path)).as_posix()}"
    if "://" in uri or uri.startswith(("file:", "databricks")):
        return uri
    return Path(os.path.abspath(folder / uri)).as_uri()


def shown_uri(uri: str) -> str:
    """`uri` without a user name and password, for logs and tags."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
