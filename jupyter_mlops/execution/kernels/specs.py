"""Which kernels are installed: the one a notebook names, read without starting anything or importing jupyter_client."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_mlops.errors import UnknownNameError

DEFAULT = "python3"
_LOCAL = "local-provisioner"


@dataclass(frozen=True)
class KernelSpec:
    """What is asked of a kernel spec before its kernel is started; `resource_dir` is the folder of its `kernel.json`."""

    argv: tuple[str, ...]
    language: str
    env: dict[str, str] = field(default_factory=dict)
    resource_dir: str = ""


def kernel_name_of(notebook: Mapping[str, Any], given: str | None = None) -> str:
    """The kernel to use: the one given, else the notebook's, else python3."""
    named = notebook.get("metadata", {}).get("kernelspec", {}).get("name")
    return given or (str(named) if named else DEFAULT)


def find_kernel(name: str) -> KernelSpec:
    """The kernel spec called `name`. Raises `UnknownNameError` with those that are installed."""
    # Some tools call it "python", and Jupyter then starts its own Python kernel.
    name = DEFAULT if name == "python" else name
    return _read(name) or _asked(name)


def _read(name: str) -> KernelSpec | None:
    """The spec, as jupyter_client finds it, whose import takes longer than all else; None where that has to be asked."""
    from jupyter_core.paths import jupyter_path

    for folder in jupyter_path("kernels"):
        try:
            here = [item for item in os.listdir(folder) if item.lower() == name.lower()]
        except OSError:
            continue
        for item in here:
            place = os.path.join(folder, item)
            try:
                with open(os.path.join(place, "kernel.json"), encoding="utf-8") as file:
                    told = json.load(file)
                provisioner = told.get("metadata", {}).get("kernel_provisioner", {}).get("provisioner_name", _LOCAL)
                spec = KernelSpec(tuple(told["argv"]), str(told["language"]), dict(told.get("env", {})), place)
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                return None
            return spec if provisioner == _LOCAL else None
    return None


def _asked(name: str) -> KernelSpec:
    """What jupyter_client says: of kernels without a spec, of other provisioners, and of names that there are none of."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    specs = KernelSpecManager()
    try:
        spec = specs.get_kernel_spec(name)
    except NoSuchKernel:
        error = UnknownNameError.among("kernel", name, specs.find_kernel_specs())
        error.hint += " Choose one with --kernel NAME, or install it: python -m ipykernel install --user --name " + name
        raise error from None
    return KernelSpec(tuple(spec.argv), str(spec.language), dict(spec.env or {}), spec.resource_dir)


def is_this_python(spec: KernelSpec) -> bool:
    """Whether a kernel of this spec runs the interpreter that runs us, so that our packages are its packages."""
    command = spec.argv[0] if spec.argv else ""
    return command in ("python", "python3", f"python{sys.version_info[0]}.{sys.version_info[1]}") or (
        os.path.realpath(command) == os.path.realpath(sys.executable)
        and os.path.dirname(command) == os.path.dirname(sys.executable)
    )
