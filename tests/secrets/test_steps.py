"""Steps with secrets: keyed by their values, never stored, run again where they are needed; records hold no value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import canary
import pytest
from kernels import LiveKernel

from jupyter_mlops.capture.digest.content import Walker
from jupyter_mlops.capture.forecast import RecordedWorld
from jupyter_mlops.capture.results.reuse import conditions_hold
from jupyter_mlops.domain.reason import NO_REASONS
from jupyter_mlops.domain.reason_text import phrases
from jupyter_mlops.domain.step import StepRun
from jupyter_mlops.operations.project.secrets import set_secret
from jupyter_mlops.store import open_store

pytestmark = pytest.mark.kernel
TOKEN = canary.TOKEN


class Project:
    """A project with kernels started one after the other, and what its index says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kernel = self._start()

    def _start(self) -> LiveKernel:
        kernel = LiveKernel(self.folder)
        kernel.run("from jupyter_mlops.secrets import secret")
        return kernel

    def restart(self) -> None:
        self.kernel.close()
        self.kernel = self._start()

    def run(self, *cells: str) -> list[bool]:
        """Whether each cell was reused."""
        return [self.kernel.run(cell).reused for cell in cells]

    def last(self, step: str) -> StepRun:
        self.kernel.run("%mlops drain", silent=True)
        with open_store(self.folder) as store:
            return store.steps.runs(step=step, limit=1)[0]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    folder = tmp_path / "project"
    folder.mkdir()
    set_secret(folder, "TOKEN", TOKEN)
    made = Project(folder)
    yield made
    made.kernel.close()
    assert canary.leaks(folder) == []


ASK = '%%step ask\ntoken = secret("TOKEN")'
MAKE = "%%step make\nheaders = {'Authorization': f'Bearer {token}'}\nprint(headers)"
USE = "%%step use\nsize = len(headers['Authorization']) // 100\nsize"


def test_what_holds_a_secret_is_made_again_and_what_came_of_it_is_reused(project: Project) -> None:
    assert project.run(ASK, MAKE, USE) == [False, False, False]
    project.restart()
    assert project.run(ASK, MAKE, USE) == [False, False, True]


def test_another_value_of_the_secret_runs_what_depends_on_it(project: Project) -> None:
    project.run(ASK, MAKE, USE)
    before = project.last("use")
    set_secret(project.folder, "TOKEN", "another value")
    project.restart()
    assert project.run(ASK, MAKE, USE) == [False, False, False]
    assert project.last("use").key != before.key
    set_secret(project.folder, "TOKEN", TOKEN)
    project.restart()
    assert project.run(ASK, MAKE, USE) == [False, False, True]


def test_a_step_that_asks_for_a_secret_and_keeps_none_is_reused_until_the_secret_changes(project: Project) -> None:
    cell = '%%step fetch\nanswer = sum(map(ord, secret("TOKEN")))\nanswer'
    assert project.run(cell, cell) == [False, True]
    set_secret(project.folder, "TOKEN", "another value")
    assert project.run(cell, cell) == [False, True]
    project.restart()
    assert project.run(cell) == [True]
    set_secret(project.folder, "TOKEN", "a third value")
    assert project.run(cell) == [False]
    assert "the secret TOKEN changed" in project.kernel.run("%mlops why fetch --json").text


def test_a_secret_asked_for_in_a_function_or_by_a_computed_name_counts_as_well(project: Project) -> None:
    function = "def ask(kind):\n    return len(secret(kind + 'KEN'))"
    cell = "%%step count\nlength = ask('TO')"
    assert project.run(function, cell, cell) == [False, False, True]
    set_secret(project.folder, "TOKEN", "another value")
    assert project.run(cell) == [False]


def test_a_secret_that_a_module_asks_for_while_it_is_imported_counts_for_all_that_use_the_module(
    project: Project,
) -> None:
    (project.folder / "conn.py").write_text(
        "from jupyter_mlops.secrets import secret\nSIZE = len(secret('TOKEN'))\n", encoding="utf-8"
    )
    cells = ("%%step connect\nimport conn", "%%step use\nsize = conn.SIZE")
    project.run(*cells)
    set_secret(project.folder, "TOKEN", "another value")
    project.restart()
    assert project.run(*cells) == [False, False]


def test_values_that_hold_a_secret_are_lost_and_told_by_a_digest_with_the_users_key(project: Project) -> None:
    cells = {
        "text": "%%step text\nx = f'Bearer {token}'",
        "frame": "%%step frame\nimport pandas as pd\nx = pd.DataFrame({'a': [1, 2], 'b': ['x', token + '']})",
        "array": "%%step array\nimport numpy as np\nx = np.array(['a', token + ''])",
        "blob": "%%step blob\nx = {'deep': [bytearray(token.encode())]}",
        "function": "%%step function\ndef x(key=token):\n    return key",
        "instance": "%%step instance\nclass Client:\n    pass\nx = Client()\nx.key = [token]",
        "coded": "%%step coded\nimport base64\nx = base64.b64encode(f'user:{token}'.encode())",
    }
    project.run(ASK, *cells.values())
    found = {step: project.last(step).known["x"] for step in cells}
    assert {step: known["lost"] for step, known in found.items()} == dict.fromkeys(cells, "holds a secret")
    assert all(known["digest"] and "text" not in known for known in found.values())
    assert found["text"]["digest"] != Walker({}).fingerprint("x", f"Bearer {TOKEN}").digest


def test_files_and_the_environment_with_a_secret_are_not_kept(project: Project) -> None:
    write = "%%step write\nopen('out.txt', 'w').write(f'key={token}')"
    put = "%%step put\nimport os\nos.environ['API_KEY'] = token"
    assert project.run(ASK, write, write) == [False, False, False]
    assert project.run(put, put) == [False, False]
    assert "holds a secret" in phrases(project.last("write").unrepeatable)
    (project.folder / "out.txt").unlink()


def test_errors_reasons_and_paths_in_the_record_hold_the_name(project: Project) -> None:
    project.run(ASK)
    project.run("%%step fails\nraise RuntimeError(f'cannot use {token}')")
    project.run("%%step reads\nimport os\nseen = os.path.exists('/nowhere/' + token[:9] + token[9:])")
    project.run("%%step process\nimport subprocess\nn = subprocess.run(['true', token]).returncode")
    assert project.last("fails").error == "RuntimeError: cannot use <secret TOKEN>"
    assert TOKEN not in json.dumps(project.last("reads").conditions.files)


def test_parameters_and_models_that_hold_a_secret_are_not_logged_as_such(project: Project) -> None:
    project.run(
        ASK, "%%step train --params token,label --model model\nlabel = 'a ' + token\nmodel = {'key': token + ''}"
    )
    assert project.last("train").step == "train"
    with open_store(project.folder) as store:
        (run,) = store.runs.list()
    assert run.parameters == {"token": "<secret TOKEN>", "label": "a <secret TOKEN>"}


def test_a_secret_as_plain_text_in_a_cell_is_warned_about(project: Project) -> None:
    set_secret(project.folder, "TOKEN", "plainly written")
    project.run(ASK)
    shown = project.kernel.run("%%step careless\nkey = 'plainly written'")
    assert "source of step 'careless' contains a secret" in shown.text
    set_secret(project.folder, "TOKEN", TOKEN)


def test_looking_a_secret_up_in_files_and_keyring_is_not_what_the_step_did(project: Project) -> None:
    set_secret(project.folder, "RING", TOKEN, "keyring")
    cell = '%%step ring\nlength = len(secret("RING"))'
    assert project.run(cell, cell) == [False, True]
    run = project.last("ring")
    assert list(run.conditions.files) == ["secret:RING"]
    assert run.unrepeatable == NO_REASONS


def test_a_plan_does_not_look_secrets_up(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.run('%%step fetch\nanswer = len(secret("TOKEN"))')
    run = project.last("fetch")
    monkeypatch.setattr("jupyter_mlops.secrets.lookup.digest_now", lambda name: pytest.fail("was looked up"))
    assert conditions_hold(run, RecordedWorld(where=run.conditions.folder))
