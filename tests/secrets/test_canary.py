"""Real jobs with a token, each of its forms looked for in every file they left, in MLflow and on the terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import canary
import pytest
from notebooks import code, read, shown, write_notebook

from jupyter_mlops import tracking
from jupyter_mlops.domain.run import Run
from jupyter_mlops.jobs.scheduler.scheduler import Scheduler
from jupyter_mlops.operations.project.secrets import set_secret
from jupyter_mlops.operations.schedules.making import ScheduleRequest, add_schedule
from jupyter_mlops.store.store import Store

pytestmark = pytest.mark.kernel
TOKEN = canary.TOKEN
SECONDS = 120.0
RUNS = ("first", "failed", "parallel", "queued", "scheduled")

CELLS = [
    code('token: str = ""\nfail: bool = False', "parameters"),
    code(
        "import base64, json, logging, os, subprocess, sys, time, urllib.parse\n"
        "from IPython.display import HTML, JSON, display\n"
        "print(token, {'a': token + ''}, json.dumps({'a': token}), repr(token.encode()))\n"
        "print(base64.b64encode(f'user:{token}'.encode()).decode(), base64.urlsafe_b64encode(f'x{token}'.encode()))\n"
        "print(urllib.parse.quote(token), urllib.parse.urlencode({'key': token}), token.encode().hex())\n"
        "logging.warning('logged %s', token)\n"
        "logger = logging.getLogger('of a file')\n"
        "logger.addHandler(logging.FileHandler('own.log'))\n"
        "logger.error('logged %s', token)"
    ),
    code("%%step use --params token,header\nheader = 'Bearer ' + token\nheader"),
    code(
        "import pandas as pd\n"
        "frame = pd.DataFrame({'key': [token + '', 'x'], 'b': [header, 'y']})\n"
        "def call(key=token):\n    return key\n"
        "class Client:\n    def __init__(self):\n        self.key = token + ''\n"
        "client = Client()\n"
        "frame"
    ),
    code(
        "display(HTML(f'<b>{token}</b>'), JSON({'t': [token + '']}))\n"
        "handle = display({'text/plain': token + ''}, raw=True, display_id=True)\n"
        "handle.update({'text/plain': 'again ' + token}, raw=True)"
    ),
    code(
        "for letter in token:\n    print(letter, end='', flush=True)\n"
        "sys.stderr.write(token[:7]); sys.stderr.flush(); time.sleep(0.3); _ = sys.stderr.write(token[7:])"
    ),
    code(
        "for place, letter in enumerate(token):\n"
        "    (sys.stdout, sys.stderr)[place % 2].write(letter); sys.stdout.flush(); sys.stderr.flush()\n"
        "for place, letter in enumerate(token):\n"
        "    print(letter, end='') if place % 2 else os.write(1 + (place % 4 == 0), letter.encode())\n"
        "print(token[:20], end='')\ndisplay('between')\nprint(token[20:])"
    ),
    code("_ = subprocess.run(['echo', token]), subprocess.run(['sh', '-c', 'echo $T >&2'], env={'T': token})"),
    code('%%bash -s "$token"\necho "$1"'),
    code("os.environ['API_TOKEN'] = token\nprint(dict(os.environ))"),
    code("%%step write\nwith open('written.txt', 'w') as file:\n    file.write(header)"),
    code(
        "%%step logs\nimport mlflow\n"
        "mlflow.log_param('by_hand', token)\nmlflow.log_params({'several': header})\nmlflow.set_tag('tag', header)\n"
        "mlflow.log_dict({'a': token}, 'a.json')\nmlflow.log_text(header, 'h.txt')\nlength = len(token)"
    ),
    code("import ipywidgets, warnings\nwarnings.warn(token)\nipywidgets.Text(value=token)"),
    code("%xmode Verbose"),
    code(
        "def inner(key):\n    local = {'k': key, 'long': 'x' * 200 + key + 'y' * 200}\n    raise KeyError(key)\n"
        "if fail:\n    inner(header)"
    ),
]


class Left:
    """What the runs left behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.terminal = b""
        self.runs: dict[str, Run] = {}

    def notebook(self, run: str) -> dict[str, Any]:
        return read(self.project / str(self.runs[run].output_path))


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    """A completed run, a failed one, one with parallel steps, one of the queue, one of a schedule."""
    made = Left(tmp_path_factory.mktemp("canary"))
    made.project.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CONFIG_HOME", "TMPDIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
            (made.folder / name.lower()).mkdir()
            patch.setenv(name, str(made.folder / name.lower()))
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)
        patch.delenv("MLOPS_TRACKING")
        (made.project / ".mlops").mkdir(mode=0o700)
        set_secret(made.project, "TOKEN", TOKEN)
        notebook = write_notebook(made.project / "canary.ipynb", *CELLS)
        try:
            execute(made, notebook)
            yield made
        finally:
            end_workers(made.project)


def execute(made: Left, notebook: Path) -> None:
    asked = ("-p", "token", "secret:TOKEN")
    command(made, "run", notebook.name, *asked)
    command(made, "run", notebook.name, *asked, "-p", "fail", "true", fails=True)
    command(made, "run", notebook.name, *asked, "--force", "--workers", "2")
    command(made, "submit", notebook.name, *asked)
    with Store.open(made.project) as store:
        ended(store, 4)
        due = store.now() + timedelta(seconds=61)
        given = store.runs.get(4).options.given
        schedule = add_schedule(
            store,
            notebook,
            ScheduleRequest(cron=f"{due:%M %H} * * *", parameters=given, zone="UTC"),
            now=store.now(),
        )
        Scheduler(store, now=lambda: due, sleep=time.sleep).tick()
        ended(store, 5)
        assert store.runs.get(5).schedule_id == schedule.id
        made.runs = dict(zip(RUNS, reversed(store.runs.list()), strict=True))
        assert tracking.drain(store, SECONDS)


def command(made: Left, *words: str, fails: bool = False) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_mlops.cli.main", *words], cwd=made.project, capture_output=True, timeout=SECONDS
    )
    assert done.returncode == int(fails), (done.stdout + done.stderr).decode()
    made.terminal += done.stdout + done.stderr


def ended(store: Store, number: int) -> None:
    end = time.monotonic() + SECONDS
    while number > len(store.runs.list()) or not store.runs.get(number).status.ended:
        assert time.monotonic() < end, "it does not end"
        time.sleep(0.2)


def end_workers(project: Path) -> None:
    """Those that were started for this project."""
    with Store.open(project) as store:
        for worker in store.queue.living(store.now()):
            os.kill(worker.pid, signal.SIGTERM)


def test_no_file_holds_the_token_in_any_form_but_where_it_is_kept_and_what_a_cell_wrote(left: Left) -> None:
    found = canary.leaks(left.folder)
    places = {line.rpartition(": ")[0] for line in found}
    assert places == {
        str(left.folder / "xdg_config_home" / "jupyter-mlops" / "secrets.toml"),
        str(left.project / "written.txt"),
    }


def test_the_terminal_showed_none_of_it(left: Left) -> None:
    assert [name for name, form in canary.encodings().items() if form in left.terminal] == []
    assert b"<secret TOKEN>" in left.terminal


def test_all_ran_and_showed_the_name(left: Left) -> None:
    assert left.runs["first"].tags["kernel_kind"] == "ordinary"
    assert left.runs["queued"].tags["kernel_kind"] == "warm"
    assert {name: run.status.value for name, run in left.runs.items()} == dict.fromkeys(RUNS, "completed") | {
        "failed": "failed"
    }
    for name in left.runs:
        cells = [cell for cell in left.notebook(name)["cells"] if cell["cell_type"] == "code"]
        assert sum("secret TOKEN" in json.dumps(cell["outputs"]) for cell in cells) >= 9, name
        text = next(shown(cell) for cell in cells if "urlsafe" in "".join(cell["source"]))
        assert "<secret TOKEN> {'a': '<secret TOKEN>'} {\"a\": \"<secret TOKEN>\"} b'<secret TOKEN>'" in text


def test_runs_record_the_reference_and_the_error_with_the_name(left: Left) -> None:
    for run in left.runs.values():
        assert run.parameters["token"] == "secret:TOKEN" or run.parameters["token"] == "<secret TOKEN>"
        assert run.parameters["header"] == "Bearer <secret TOKEN>"
    error = left.runs["failed"].error
    assert error is not None
    assert "Bearer <secret TOKEN>" in error.message + error.evalue
    source = ["".join(cell["source"]) for cell in left.notebook("queued")["cells"]]
    assert any('token = secret("TOKEN")' in text or "token = secret('TOKEN')" in text for text in source)


def test_mlflow_was_told_the_name(left: Left) -> None:
    import sqlite3

    with sqlite3.connect(next(left.project.rglob("mlflow.db"))) as database:
        params = set(database.execute("select key, value from params"))
        tags = set(database.execute("select key, value from tags"))
    assert {("by_hand", "<secret TOKEN>"), ("several", "Bearer <secret TOKEN>")} <= params
    assert ("tag", "Bearer <secret TOKEN>") in tags


def test_pieces_put_together_again_hold_none_of_it(left: Left) -> None:
    """Of each cell in the notebooks, and of each run in its journal, whichever streams printed them."""
    with Store.open(left.project) as store:
        for name, run in left.runs.items():
            printed: list[str] = []
            for cell in left.notebook(name)["cells"]:
                outputs = [output for output in cell.get("outputs", ()) if output["output_type"] == "stream"]
                printed.append("".join("".join(output["text"]) for output in outputs))
            events = [event["output"] for event in store.journals.read(run.id) if event["event"] == "output"]
            printed.append("".join(output.get("text", "") for output in events))
            found = [text for text in printed if any(form in text.encode() for form in canary.encodings().values())]
            assert found == [], name
