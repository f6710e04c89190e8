"""How the tests are spread over several processes (`pytest -n auto`): which stay together, and which come first.

A file's tests stay together, for they share what is started for them; so do those of a folder that shares a costly thing.
The long come first, so that at the end there are short ones to fill the gaps.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

TOGETHER = ("tests/oracle/", "tests/tracking/", "tests/execution/kernels/warm/")
"""A pair of zygotes, an MLflow store, a pool of warm kernels."""


def part_of(nodeid: str) -> str:
    """What a test stays together with: a folder, or its file."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One part after another for each process, in the order of collection; unless another way was asked for by `--dist`."""
    from xdist.scheduler import LoadScopeScheduling

    class Spread(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return part_of(nodeid)

    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False
    return Spread(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, since much of what tests do is waiting for other processes."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Those that stay together first, then files with real kernels."""
    if not hasattr(config, "workerinput"):
        return
    kernels = {item.path for item in items if item.get_closest_marker("kernel")}
    items.sort(key=lambda item: 0 if item.nodeid.startswith(TOGETHER) else 1 if item.path in kernels else 2)
