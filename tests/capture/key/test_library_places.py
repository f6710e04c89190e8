"""Libraries are where packages are: in whatever prefix or folder, they count by version, and cost what they cost anywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernels import LiveKernel
from layouts import LAYOUTS, SITE, Layout, above_system_site, install, install_editable, plain
from machine import Stopwatch

from jupyter_mlops.store import open_store

pytestmark = pytest.mark.kernel
Started = Callable[..., LiveKernel]
CELLS = (
    "%%step first\nimport frames\nx = frames.answer()\nx",
    "%%step second\nfrom frames import part7\ny = part7.f3(x)\ny",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def start(start_kernel: Started, layout: Layout, project: Path) -> LiveKernel:
    return start_kernel(project, python=layout.python, **layout.environment)


def play(kernel: LiveKernel, cells: tuple[str, ...] = CELLS) -> list[tuple[str, bool]]:
    """What each cell showed, and whether it was reused; the kernel is ended."""
    shown = [kernel.run(code, cell_id=f"cell-{number}") for number, code in enumerate(cells)]
    assert kernel.run("%mlops drain", silent=True).text == ""
    kernel.close()
    return [(cell.text, cell.reused) for cell in shown]


def modules(project: Path) -> dict[str, set[str]]:
    """Step → the modules that were read as the project's for it."""
    with open_store(project) as store:
        found = {run.step: run.ingredients for run in store.steps.last_everywhere()}
    return {
        step: {name.partition(":")[2] for name in parts if name.startswith("module:")} for step, parts in found.items()
    }


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_librarys_steps_are_reused_until_it_is_upgraded(
    name: str, tmp_path: Path, project: Path, start_kernel: Started
) -> None:
    layout = LAYOUTS[name](tmp_path / "python")
    install(layout.site, "frames", "1.0", 1)
    assert play(start(start_kernel, layout, project)) == [("1", False), ("[4, 4, 4]", False)]
    assert play(start(start_kernel, layout, project)) == [("1", True), ("[4, 4, 4]", True)]
    assert modules(project) == {"first": set(), "second": set()}
    install(layout.site, "frames", "1.1", 2)
    assert play(start(start_kernel, layout, project)) == [("2", False), ("[5, 5, 5]", False)]


def test_an_environment_above_the_systems_packages_has_libraries_of_both_and_those_in_development(
    tmp_path: Path, project: Path, start_kernel: Started
) -> None:
    layout, source = above_system_site(tmp_path / "python"), tmp_path / "source"
    system = tmp_path / "python" / "usr" / SITE
    cells = (
        "%%step mine\nimport frames\nframes.answer()",
        "%%step theirs\nimport tools\ntools.answer()",
        "%%step developed\nimport drafts\ndrafts.answer()",
    )

    def played() -> list[tuple[str, bool]]:
        return play(start(start_kernel, layout, project), cells)

    install(layout.site, "frames", "1.0", 1, modules=3)
    install(system, "frames", "0.9", 10, modules=3)
    install(system, "tools", "1.0", 2, modules=3)
    install_editable(layout.site, "drafts", source, 3)
    assert played() == [("1", False), ("2", False), ("3", False)]
    assert played() == [("1", True), ("2", True), ("3", True)]
    assert modules(project) == {"mine": set(), "theirs": set(), "developed": {"drafts"}}
    install(system, "frames", "0.95", 11, modules=3)  # which is hidden by the environment's own
    install(system, "tools", "1.1", 20, modules=3)
    install_editable(layout.site, "drafts", source, 30)
    assert played() == [("1", True), ("20", False), ("30", False)]


STEPS = 10


@pytest.mark.parametrize("name", ["target", "other prefix", "system site"])
def test_a_library_is_not_read_through_wherever_it_is(name: str, tmp_path: Path, start_kernel: Started) -> None:
    """Parsed and walked through as the project's, its 150 modules take over a second of processor time."""
    layouts = (plain(tmp_path / "usual"), LAYOUTS[name](tmp_path / "python"))
    spent = []
    for number, layout in enumerate(layouts):
        install(layout.site, "frames", "1.0", 1)
        (tmp_path / str(number)).mkdir()
        kernel = start(start_kernel, layout, tmp_path / str(number))
        steps = [f"%%step s{step}\nfrom frames import part7\ny = part7.f3({step})" for step in range(STEPS)]
        spent.append(sum(_processor_time(kernel, code) for code in (CELLS[0], *steps)))
    assert spent[1] < spent[0] + 0.7


def _processor_time(kernel: LiveKernel, code: str) -> float:
    with Stopwatch(kernel.manager.provisioner.pid) as watch:
        assert not kernel.run(code).error
    return watch.processor
