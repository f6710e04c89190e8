"""Reuse as the author sees it: one quiet note, the same names, displays and deletions; after a restart too."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from kernels import NOTE, LiveKernel

from jupyter_mlops.domain.reason import ReasonCode
from jupyter_mlops.domain.status import Status
from jupyter_mlops.store import open_store

pytestmark = pytest.mark.kernel

SLOW = "%%step slow\nimport time\ntime.sleep(0.3)\nresult = {'a': [1, 2]}\nprint('computed')\nresult"


@pytest.fixture(scope="module")
def kernel(start_kernel: Callable[..., LiveKernel]) -> LiveKernel:
    return start_kernel()


def drain(kernel: LiveKernel) -> None:
    assert kernel.run("%mlops drain", silent=True).text == ""


@pytest.mark.one_kernel
def test_a_reuse_shows_the_same_outputs_and_one_quiet_note_of_one_line(kernel: LiveKernel) -> None:
    first = kernel.run(SLOW)
    second = kernel.run(SLOW)
    assert first.notes == []
    assert second.outputs == first.outputs
    assert [note["note"] for note in second.notes] == ["reused"]
    assert second.notes[0]["step"] == "slow"


def test_the_note_is_one_line_of_plain_text_that_says_what_was_saved(kernel: LiveKernel) -> None:
    from jupyter_client.blocking.client import BlockingKernelClient

    kernel.run(SLOW)
    seen: list[str] = []
    client: BlockingKernelClient = kernel.client
    client.execute_interactive(
        SLOW,
        output_hook=lambda message: (
            seen.append(message["content"]["data"]["text/plain"])
            if NOTE in message["content"].get("data", {})
            else None
        ),
    )
    (text,) = seen
    assert text.startswith("↺ slow reused · ")
    assert text.endswith(" saved")
    assert "\n" not in text


def test_names_are_restored_as_values_of_their_own(kernel: LiveKernel) -> None:
    kernel.run("%%step own\nowned = [1, 2, 3]")
    kernel.run("owned.append(4)")
    assert kernel.run("%%step own\nowned = [1, 2, 3]").reused
    assert kernel.run("owned").text == "[1, 2, 3]"
    kernel.run("owned.append(5)")
    assert kernel.run("%%step own\nowned = [1, 2, 3]").reused
    assert kernel.run("owned").text == "[1, 2, 3]", "a change after a reuse does not reach the store"


def test_names_that_the_step_deleted_are_deleted_again(kernel: LiveKernel) -> None:
    code = "%%step drops\nkept = temporary * 2\ndel temporary"
    kernel.run("temporary = 4")
    assert not kernel.run(code).reused
    kernel.run("temporary = 4")
    assert kernel.run(code).reused
    assert kernel.run("kept").text == "8"
    assert "NameError" in kernel.run("temporary").error


def test_what_a_reused_step_showed_last_is_made_again_where_it_is_read(kernel: LiveKernel) -> None:
    code = "%%step shows\nshown = 'the value'\nshown"
    kernel.run(code)
    assert kernel.run(code).reused
    assert kernel.run("_").text == "'the value'"
    assert kernel.run(code).reused
    assert kernel.run("%%step after\nuses = _").notes == [], "and no step takes it for a value of its own"
    assert kernel.run("uses").text == "'the value'"


def test_what_a_reused_step_showed_last_is_a_placeholder_where_it_cannot_be_made_again(kernel: LiveKernel) -> None:
    kernel.run("%%step base\nbase = 21")
    code = "%%step twice\nbase * 2"
    kernel.run(code)
    assert kernel.run(code).reused
    kernel.run("base = 5")
    cell = kernel.run("_")
    assert "something that step reads has changed since ('base')" in cell.text
    assert "was not stored" in cell.text
    assert "--no-cache" in cell.text


def test_a_changed_upstream_step_runs_its_followers_and_an_unchanged_result_does_not(kernel: LiveKernel) -> None:
    use = "%%step total\ntotal = sum(numbers)\ntotal"
    kernel.run("%%step numbers\nnumbers = [1, 2, 3]")
    kernel.run(use)
    assert not kernel.run("%%step numbers\nnumbers = [1, 2, 4]").reused
    assert kernel.run(use).text == "7"
    assert not kernel.run("%%step numbers\nnumbers = sorted([3, 2, 1])").reused
    assert kernel.run(use).reused, "other code, the same numbers"


def test_no_cache_runs_always_and_its_result_serves_others(kernel: LiveKernel) -> None:
    for _ in range(2):
        assert not kernel.run("%%step fresh --no-cache\nfresh = 1").reused
    assert kernel.run("%%step fresh\nfresh = 1").reused


def test_an_unrepeatable_step_runs_without_a_word(kernel: LiveKernel) -> None:
    for _ in range(2):
        cell = kernel.run("%%step clock\nimport datetime\nat = datetime.datetime.now()")
        assert (cell.outputs, cell.notes) == ([], [])
    kernel.run("%mlops drain")
    with open_store(kernel.folder, create=False) as store:
        found = store.steps.runs(step="clock", limit=1)[0].unrepeatable
        assert ReasonCode.CLOCK in [reason.code for reason in found]


def test_steps_are_reused_after_a_restart_of_the_kernel(start_kernel: Callable[..., LiveKernel]) -> None:
    first = start_kernel()
    cells = [
        "%%step frame\nimport pandas as pd\nframe = pd.DataFrame({'a': range(5), 's': list('abcde')})\nframe",
        "factor = 3",
        "%%step scaled --metrics top\nscaled = frame.assign(a=frame.a * factor)\ntop = float(scaled.a.max())\nscaled",
    ]
    before = [first.run(cell) for cell in cells]
    drain(first)
    second = start_kernel(first.folder)
    after = [second.run(cell) for cell in cells]
    assert [cell.reused for cell in after] == [True, False, True]
    assert [cell.outputs for cell in after] == [cell.outputs for cell in before]
    assert second.run("int(scaled.a.sum()), top, list(frame.s)").text == "(30, 12.0, ['a', 'b', 'c', 'd', 'e'])"


def test_the_sessions_of_two_kernels_are_two_runs(start_kernel: Callable[..., LiveKernel]) -> None:
    first = start_kernel()
    second = start_kernel(first.folder)
    for kernel in (first, second):
        kernel.run("%%step a\nx = 1")
        drain(kernel)
    with open_store(first.folder, create=False) as store:
        assert [(run.number, run.kind, run.status) for run in store.runs.list()] == [
            (2, "session", Status.RUNNING),
            (1, "session", Status.RUNNING),
        ]
        assert [run.steps_reused for run in store.runs.list()] == [1, 0]


def test_a_kernel_killed_right_after_a_step_leaves_a_whole_store(start_kernel: Callable[..., LiveKernel]) -> None:
    first = start_kernel()
    first.run("%%step big\nimport numpy as np\nbig = np.arange(3_000_000)")
    first.manager.signal_kernel(signal.SIGKILL)
    second = start_kernel(first.folder)
    second.run("%%step big\nimport numpy as np\nbig = np.arange(3_000_000)")
    assert second.run("int(big[-1])").text == "2999999"
    drain(second)
    with open_store(first.folder, create=False) as store:
        for run in store.steps.runs(step="big"):
            if run.result:
                store.objects.get_signed(run.result)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "unsigned"])
def test_a_damaged_result_is_told_in_a_line_recomputed_and_never_used(kernel: LiveKernel, damage: str) -> None:
    code = f"%%step precious_{damage}\nprecious = ['{damage}', *range(1000)]"
    kernel.run(code)
    drain(kernel)
    with open_store(kernel.folder, create=False) as store:
        name = store.steps.runs(step=f"precious_{damage}", limit=1)[0].result
        assert name is not None
        path = store.objects.path(name)
    data = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(data[:-40])
    elif damage == "flipped":
        path.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    elif damage == "missing":
        os.unlink(path)
    else:
        os.unlink(path.with_name(path.name + ".sig"))
    again = kernel.run(code)
    assert not again.reused
    assert f"The stored result of step 'precious_{damage}' is not used" in again.text
    assert "Hint:" in again.text
    assert "Traceback" not in again.text
    assert kernel.run(f"precious == ['{damage}', *range(1000)]").text == "True"
    if damage in ("truncated", "flipped"):
        assert (kernel.folder / ".mlops" / "damaged" / name).exists()
    third = kernel.run(code)
    assert third.reused, "the recomputed result is good again"
    assert third.text == ""


def test_a_damaged_display_is_not_shown(kernel: LiveKernel) -> None:
    code = "%%step prints\nprint('as it was')"
    kernel.run(code)
    drain(kernel)
    with open_store(kernel.folder, create=False) as store:
        name = store.steps.runs(step="prints", limit=1)[0].display
        assert name is not None
        store.objects.path(name).write_bytes(b'[{"type": "stream", "name": "stdout", "text": "forged"}]')
    again = kernel.run(code)
    assert not again.reused
    assert "forged" not in again.text
    assert "as it was" in again.text


def test_an_object_of_a_class_that_was_made_anew_is_not_taken_for_one_of_the_new_class(
    start_kernel: Callable[..., LiveKernel],
) -> None:
    kernel = start_kernel()
    kernel.run("%mlops capture on", silent=True)
    cells = {
        "class": "class K:\n    pass",
        "make": "o = K()",
        "ask": "print(isinstance(o, K))",
    }
    told = [kernel.run(cells[cell], cell_id=cell).text for cell in ("class", "make", "class", "ask", "make", "ask")]
    assert [text for text in told if text] == ["False\n", "True\n"]
