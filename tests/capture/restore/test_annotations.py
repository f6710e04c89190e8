"""What annotations a namespace has after cells were restored is what it has after they ran."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernels import LiveKernel

pytestmark = pytest.mark.kernel
BELOW = ("ratio: float = n * 1.5", "names: 'list[str]' = ['a']\nbare: bytes", "plain = 3")
SEE = "print(list(__annotations__.items()), n)"
EDITS = {
    "its value": ("n: int = 3", "n: int = 4"),
    "an annotation as text, and another order": ("n: int = 3\nk: str = 'a'", "k: str = 'a'\nn: 'number' = 3"),
    "none any more": ("n: int = 3", "n = 3"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_annotations_after_an_edit_of_the_parameters_are_those_of_a_plain_run(
    edit: str, tmp_path: Path, start_kernel: Callable[..., LiveKernel]
) -> None:
    first, second = EDITS[edit]

    def play(parameters: str, *, extension: bool) -> tuple[str, list[bool]]:
        kernel = start_kernel(tmp_path, extension=extension)
        if extension:
            kernel.run("%mlops capture on")
        ran = [kernel.run(parameters, cell_id="cell", tags=["parameters"])]
        ran += [kernel.run(code, cell_id=f"cell-{number}") for number, code in enumerate(BELOW)]
        seen = kernel.run(SEE, cell_id="see", tags=["no-cache"]).text
        if extension:
            kernel.run("%mlops drain", silent=True)
        kernel.close()
        return seen, [cell.reused for cell in ran]

    plain = {parameters: play(parameters, extension=False)[0] for parameters in (first, second)}
    assert plain[first] != plain[second]
    ran = [False] * 4, [True] * 4
    assert play(first, extension=True) == (plain[first], ran[0])
    assert play(second, extension=True)[0] == plain[second]
    assert play(second, extension=True) == (plain[second], ran[1])
    assert play(first, extension=True) == (plain[first], ran[1])
