"""What makes a result unrepeatable, seen in the code alone."""

from __future__ import annotations

import ast

import pytest

from jupyter_mlops.analysis.code import cell_facts
from jupyter_mlops.analysis.doubts import Doubts, configures, find_doubts, reason_for


def doubts(code: str) -> Doubts:
    return find_doubts(ast.parse(code))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("eval(x)", "runs code made while running (eval)"),
        ("f = exec", "runs code made while running (exec)"),
        ("globals()['x']", "looks into the namespace (globals)"),
        ("hash('a')", "reads what differs from process to process (hash)"),
        ("setattr(o, 'a', 1)", "sets attributes by name (setattr)"),
        ("input()", "asks the user (input)"),
        ("get_ipython().x", "talks to the shell (get_ipython)"),
        ("from m import *", "imports all of m"),
        ("d.datetime.now()", "reads the clock (now)"),
        ("date.today()", "reads the clock (today)"),
        ("pd.Timestamp('now')", "reads the clock (Timestamp)"),
        ("pd.to_datetime('today')", "reads the clock (to_datetime)"),
        ("p.exists()", "looks for files (exists)"),
        ("p.iterdir()", "looks for files (iterdir)"),
        ("uuid.uuid4()", "draws fresh entropy (uuid4)"),
        ("np.random.default_rng()", "draws fresh entropy (default_rng without a seed)"),
        ("RandomState(None)", "draws fresh entropy (RandomState without a seed)"),
        ("pd.read_sql(q, c)", "reads a database (read_sql)"),
        ("r.urlopen(u)", "talks to the network (urlopen)"),
        ("os.environ", "reads the environment"),
        ("os.environ[name]", "reads the environment"),
        ("df.query(text)", "may read any variable (query of a computed text)"),
        ("pd.read_parquet(folder / 'a')", "reads a file whose name is computed (read_parquet)"),
        ("fetch_california_housing()", "talks to the network (fetch_california_housing)"),
        ("f.__globals__", "looks into the interpreter (__globals__)"),
    ],
)
def test_a_doubtful_use_is_named(code: str, reason: str) -> None:
    assert reason in doubts(code).certain


@pytest.mark.parametrize(
    "code",
    [
        "x = 1",
        "df['a'].sum()",
        "np.random.default_rng(7)",
        "pd.read_parquet('a.parquet')",
        "df.query('a > 1')",
        "now = 1\nprint(now)",
        "pd.to_datetime('2020-01-01')",
        "model.fit(X, y)",
        "t.perf_counter()",
        "x.eval('a + b')",
    ],
)
def test_a_plain_use_is_not(code: str) -> None:
    assert doubts(code).certain == ()


@pytest.mark.parametrize(
    "code", ["os.environ['HOME']", "os.environ.get('HOME')", "os.getenv('HOME', d)", "environ['HOME']"]
)
def test_a_named_environment_variable_is_an_ingredient_not_a_doubt(code: str) -> None:
    found = doubts(code)
    assert found.environment == {"HOME"}
    assert found.certain == ()


def test_setting_an_environment_variable_is_a_doubt() -> None:
    assert "reads the environment" in doubts("os.environ['HOME'] = 'x'").certain


def test_chains_stores_and_calls_keep_their_roots_as_written() -> None:
    found = doubts("import numpy as np\nfrom a import b as c\nnp.random.seed(1)\nnp.x.y = z.w\nq[0].r.s()")
    assert {"np.random.seed", "z.w"} <= found.chains
    assert found.stores == {"np.x.y"}
    assert "np.random.seed" in found.calls
    assert set(found.aliases) == {("np", "numpy"), ("c", "a.b")}


@pytest.mark.parametrize(
    ("chain", "part"),
    [
        ("time.time", "clock"),
        ("time.localtime", "clock"),
        ("requests.get", "network"),
        ("urllib.request.urlopen", "network"),
        ("socket.socket", "network"),
        ("subprocess.run", "process"),
        ("os.system", "process"),
        ("threading.Thread", "threads"),
        ("sqlite3.connect", "database"),
        ("sys.path.append", "interpreter"),
        ("gc.collect", "interpreter"),
        ("secrets.choice", "entropy"),
        ("glob.glob", "files"),
        ("os.path.exists", "files"),
        ("os.walk", "files"),
        ("os.getcwd", "working folder"),
        ("os.remove", "changes files"),
        ("shutil.rmtree", "changes files"),
        ("tempfile.mkdtemp", "temporary"),
        ("sklearn.datasets.fetch_openml", "network"),
        ("mlflow.search_runs", "MLflow"),
        ("uuid.uuid4", "entropy"),
        ("posix.urandom", "entropy"),
        ("datetime.datetime.now", "clock"),
        ("genericpath.exists", "looks for files"),
        ("posix.getcwd", "working folder"),
        ("posix.getpid", "interpreter"),
        ("pandas.io.sql.read_sql", "database"),
    ],
)
def test_a_use_of_a_library_that_reads_the_world_is_a_reason(chain: str, part: str) -> None:
    assert part in (reason_for(chain) or "")


@pytest.mark.parametrize(
    "chain",
    [
        "time.perf_counter",
        "time.monotonic",
        "time.sleep",
        "sys.stdout.write",
        "sys.version_info",
        "sklearn.datasets.load_breast_cancer",
        "os.path.join",
        "pandas.read_csv",
        "mlflow",
        "mlflow.log_metric",
        "mlflow.start_run",
        "mlflow.sklearn.log_model",
        "glob",
        "timeit.default_timer",
    ],
)
def test_a_harmless_use_is_none(chain: str) -> None:
    assert reason_for(chain) is None


def test_a_call_for_its_effect_may_configure_a_library_unless_its_state_is_known() -> None:
    assert configures("seaborn.set_theme", bare=False)
    assert configures("mylib.go", bare=True)
    assert not configures("mylib.go", bare=False)
    assert not configures("pandas.set_option", bare=True)
    assert not configures("numpy.random.seed", bare=True)


def test_doubts_inside_functions_and_comprehensions_are_seen() -> None:
    assert doubts("def f():\n    return [eval(x) for x in y]").certain == ("runs code made while running (eval)",)


def test_a_cell_is_doubted_through_ipythons_transformer() -> None:
    assert cell_facts("!pip list").doubts.certain == ("starts a process (!)",)
    assert cell_facts("%matplotlib inline").doubts.certain == ()
    assert cell_facts("%cd ..").doubts.certain == ("runs the magic %cd",)
