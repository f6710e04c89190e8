"""State of libraries and of the process comes back in another process, with the real libraries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CASES = {
    "pandas": "pd.set_option('display.precision', 2); pd.options.display.max_rows = 7",
    "pandas with a function": "pd.options.display.float_format = '{:.1f}'.format",
    "numpy": "np.set_printoptions(precision=2, suppress=True)",
    "numpy errors": "np.seterr(divide='raise', under='warn')",
    "sklearn": "sklearn.set_config(transform_output='pandas', display='text')",
    "matplotlib": "plt.rcParams['figure.figsize'] = [3, 4]; plt.rcParams['lines.linewidth'] = 7",
    "matplotlib in place": "plt.rcParams['font.sans-serif'].insert(0, 'Nonesuch')",
    "matplotlib style": "plt.style.use('ggplot')",
    "matplotlib cycle": "plt.rc('axes', prop_cycle=plt.cycler(color=['r', 'g']))",
    "matplotlib colours": "import matplotlib.colors as c; c.colorConverter.colors['b'] = (0.1, 0.2, 0.3)",
    "warnings": "warnings.filterwarnings('ignore', message='no matter', category=UserWarning, module='x')",
    "warnings all": "warnings.simplefilter('ignore')",
    "warnings reset": "warnings.resetwarnings()",
    "environ": "os.environ['STATE_TEST'] = 'x'; os.environ.pop('STATE_HOME')",
    "environ timezone": "os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()",
    "cwd": "os.chdir('inside')",
    "cwd elsewhere": "os.chdir('/')",
    "sys.path": "sys.path.append('src'); sys.path.insert(0, os.getcwd() + '/inside')",
    "sys.path shorter": "sys.path.pop(0)",
    "decimal": "decimal.getcontext().prec = 5; decimal.getcontext().traps[decimal.Inexact] = True",
    "decimal rounding": "decimal.getcontext().rounding = decimal.ROUND_DOWN",
    "locale": "locale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')",
    "logging": "logging.getLogger().setLevel('INFO'); logging.disable(5)",
    "logging handlers": "logging.basicConfig(format='%(message)s', level=10)",
    "matplotlib_inline": "InlineBackend.instance().figure_formats = {'svg'}",
}

PROCESS = """
import decimal, json, locale, logging, os, pickle, sys, time, warnings
from jupyter_mlops.capture import libraries
libraries.begin()
sys.path.insert(0, '')
import matplotlib, numpy as np, pandas as pd, sklearn, matplotlib.pyplot as plt, sklearn.linear_model, scipy.stats
from matplotlib_inline.config import InlineBackend
untouched = libraries.library_state()
def forked(work):
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            told = work()
        except BaseException as error:
            told = (repr(error),)
        os.write(write, pickle.dumps(told))
        os._exit(0)
    os.close(write)
    with open(read, 'rb') as file:
        return pickle.loads(file.read())
def changed(code):
    exec(code)
    state = libraries.library_state()
    return state, libraries.library_values(state)
def restored(values):
    libraries.restore_libraries(values)
    there = libraries.library_state()
    libraries.restore_libraries({name: {} for name in values})
    return there, libraries.library_state()
told = {}
for name, code in json.load(sys.stdin).items():
    found = forked(lambda: changed(code))
    told[name] = (found[0], *forked(lambda: restored(found[1]))) if len(found) == 2 else (found, found, found)
    assert libraries.library_state() == untouched
json.dump([untouched, told], sys.stdout)
"""
Told = tuple[dict[str, str], dict[str, list[dict[str, str]]]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("work")
    (folder / "inside").mkdir()
    code = PROCESS.replace("libraries.begin()\nsys.path.insert(0, '')", "sys.path.insert(0, '')\nlibraries.begin()")
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(CASES),
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PATH": "", "HOME": str(folder), "STATE_HOME": "home"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    untouched, found = json.loads(done.stdout)
    return untouched, found


def test_importing_the_libraries_changes_no_state(told: Told) -> None:
    assert told[0] == {}


@pytest.mark.parametrize("case", CASES)
def test_a_change_is_seen_and_restored_and_undone(told: Told, case: str) -> None:
    changed, restored, undone = told[1][case]
    expected = {"environ", "timezone"} if case == "environ timezone" else {case.split(" ")[0]}
    assert set(changed) == expected
    assert not any(state.startswith("unknown") for state in changed.values())
    assert restored == changed
    assert undone == {}


def test_a_library_that_is_not_loaded_is_imported_to_be_restored() -> None:
    code = """
import sys
from jupyter_mlops.capture import libraries
libraries.begin()
libraries.restore_libraries({"sklearn": {}, "pandas": {"display.precision": 3}})
assert "sklearn" not in sys.modules
assert set(libraries.library_state()) == {"pandas"}
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_state_that_cannot_be_set_here_says_so(tmp_path: Path) -> None:
    code = f"""
from jupyter_mlops.capture import libraries
libraries.begin()
try:
    libraries.restore_libraries({{"cwd": {{"folder": {str(tmp_path / "gone")!r}}}}})
except ValueError as error:
    assert "the state of cwd cannot be restored" in str(error), error
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_option_whose_content_cannot_be_told_is_unknown() -> None:
    code = """
from jupyter_mlops.capture import libraries
import pandas, threading
lock = threading.Lock()
pandas.set_option("display.float_format", lambda x, lock=lock: str(x))
assert libraries.library_state()["pandas"].startswith("unknown"), libraries.library_state()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_a_project_module_filters_while_it_is_imported_counts(tmp_path: Path) -> None:
    (tmp_path / "filtering.py").write_text("import warnings; warnings.simplefilter('ignore', UserWarning)")
    code = """
from jupyter_mlops.capture import libraries
libraries.begin()
import filtering
assert set(libraries.library_state()) == {"warnings"}
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_a_filter_that_a_library_had_only_during_its_import_still_shows_when_the_notebook_adds_it() -> None:
    code = """
import sys, warnings
from jupyter_mlops.capture import libraries
from jupyter_mlops.capture.libraries import warned
libraries.begin()
import pandas, sklearn.ensemble, scipy.stats
warned._by_libraries.add(("ignore", None, Warning, None, 0))
warnings.filterwarnings("ignore")
assert set(libraries.library_state()) == {"warnings"}
warnings.filters.remove(("ignore", None, Warning, None, 0))
assert libraries.library_state() == {}
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_threads_of_scikit_learn_that_set_all_filters_anew_change_none() -> None:
    code = """
from jupyter_mlops.capture import libraries
libraries.begin()
import numpy as np
from sklearn.ensemble import RandomForestClassifier
RandomForestClassifier(10, n_jobs=-1, random_state=0).fit(np.eye(4), [0, 1, 0, 1])
assert libraries.library_state() == {}, libraries.library_values(["warnings"])
"""
    subprocess.run([sys.executable, "-c", code], check=True)
