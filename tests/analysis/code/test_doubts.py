"""What makes a result unrepeatable, seen in the code alone."""

from __future__ import annotations

import ast

import pytest

from jupyter_mlops.analysis.code.doubts import Doubts, configures, find_doubts, reason_for
from jupyter_mlops.analysis.code.facts import cell_facts, source_facts
from jupyter_mlops.domain.reason_text import phrase, phrases


def said(code: str) -> list[str]:
    return [phrase(reason) for reason in doubts(code).certain]


def doubts(code: str) -> Doubts:
    return find_doubts(ast.parse(code))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("eval(x)", "runs code built at run time (eval)"),
        ("f = exec", "runs code built at run time (exec)"),
        ("globals()['x']", "inspects the namespace (globals)"),
        ("hash('a')", "reads something that differs between processes (hash)"),
        ("setattr(f(), 'a', 1)", "sets attributes by name (setattr)"),
        ("np.random.default_rng(seed=None)", "draws fresh entropy (default_rng without a seed)"),
        ("random.Random()", "draws fresh entropy (Random without a seed)"),
        ("np.random.seed()", "draws fresh entropy (seed without a seed)"),
        ("Path(p).exists()", "looks for files (exists)"),
        ("os.path.getmtime('a')", "looks for files (getmtime)"),
        ("pd.Timestamp.now()", "reads the clock (now)"),
        ("pq.write_table(t, folder / 'a')", "writes a file whose name is computed (write_table)"),
        ("pl.scan_parquet(origin=a)", "reads a file whose name is computed (scan_parquet)"),
        ("locals()", "inspects the namespace (locals)"),
        ("[dir() for _ in r]", "inspects the namespace (dir)"),
        ("input()", "asks the user (input)"),
        ("get_ipython().x", "talks to the shell (get_ipython)"),
        ("from m import *", "imports everything from m"),
        ("d.datetime.now()", "reads the clock (now)"),
        ("date.today()", "reads the clock (today)"),
        ("pd.Timestamp('now')", "reads the clock (Timestamp)"),
        ("pd.to_datetime('today')", "reads the clock (to_datetime)"),
        ("p.exists()", "looks for files (exists)"),
        ("uuid.uuid4()", "draws fresh entropy (uuid4)"),
        ("np.random.default_rng()", "draws fresh entropy (default_rng without a seed)"),
        ("RandomState(None)", "draws fresh entropy (RandomState without a seed)"),
        ("pd.read_sql(q, c)", "reads a database (read_sql)"),
        ("r.urlopen(u)", "talks to the network (urlopen)"),
        ("os.environ", "reads the environment"),
        ("os.environ[name]", "reads the environment"),
        ("df.query(text)", "may read any variable (query with a computed text)"),
        ("pd.read_parquet(folder / 'a')", "reads a file whose name is computed (read_parquet)"),
        ("f.__globals__", "inspects the interpreter (__globals__)"),
    ],
)
def test_a_doubtful_use_is_named(code: str, reason: str) -> None:
    assert reason in said(code)


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
        "model.eval()",
        "np.random.default_rng(seed=7)",
        "RandomState(seed)",
        "lgb.Dataset(X, y)",
        "xgb.DMatrix(X[rows], y)",
        "setattr(o, name, 1)",
        "vars(o), dir(o), o.__dict__",
        "def f():\n    return locals()",
        "p.iterdir(), glob.glob('*.csv'), p.rglob('x')",
        "sns.load_dataset('tips')",
        "con = sqlite3.connect(':memory:')",
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


@pytest.mark.parametrize("code", ["'HOME' in os.environ", "os.environ.setdefault('HOME', 'x')"])
def test_asking_for_one_is_the_same(code: str) -> None:
    assert doubts(code).environment == {"HOME"}
    assert doubts(code).certain == ()


def test_setting_a_named_one_is_known_state_and_any_other_use_a_doubt() -> None:
    assert doubts("os.environ['HOME'] = 'x'").certain == ()
    for code in ("os.environ[name] = 'x'", "dict(os.environ)", "os.environ.update(d)", "os.environ = {}"):
        assert "reads the environment" in said(code)


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
        ("secrets.choice", "entropy"),
        ("os.path.exists", "files"),
        ("getpass.getpass", "asks the user"),
        ("os.removedirs", "changes files"),
        ("concurrent.futures.ProcessPoolExecutor", "process"),
        ("asyncio.create_task", "tasks"),
        ("sys.argv", "interpreter"),
        ("importlib.reload", "interpreter"),
        ("os.getcwd", "working folder"),
        ("os.remove", "changes files"),
        ("shutil.rmtree", "changes files"),
        ("tempfile.mkdtemp", "temporary"),
        ("mlflow.search_runs", "MLflow"),
        ("uuid.uuid4", "entropy"),
        ("posix.urandom", "entropy"),
        ("datetime.datetime.now", "clock"),
        ("genericpath.exists", "looks for files"),
        ("posix.getcwd", "working folder"),
        ("posix.getpid", "process or machine"),
        ("pandas.io.sql.read_sql", "database"),
    ],
)
def test_a_use_of_a_library_that_reads_the_world_is_a_reason(chain: str, part: str) -> None:
    reason = reason_for(chain)
    assert reason is not None
    assert part in phrase(reason)


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
        "time.process_time",
        "sqlite3.connect",
        "sys.path.append",
        "sys.version",
        "sys.platform",
        "gc.collect",
        "glob.glob",
        "os.listdir",
        "os.walk",
        "types.SimpleNamespace",
        "asyncio.gather",
        "concurrent.futures.ThreadPoolExecutor",
        "inspect.signature",
        "importlib.metadata.version",
    ],
)
def test_a_harmless_use_is_none(chain: str) -> None:
    assert reason_for(chain) is None


@pytest.mark.parametrize(
    "chain",
    [
        *("torch.use_deterministic_algorithms", "mylib.set_mode", "mylib.register", "mylib.config", "plotly.io.enable"),
        *("holoviews.extension", "tensorflow.random.set_seed", "alt.data_transformers.enable", "mylib.setMode"),
    ],
)
def test_a_call_named_like_a_command_may_configure_a_library(chain: str) -> None:
    assert configures(chain)


@pytest.mark.parametrize(
    "chain",
    [
        *(
            "mylib.go",
            "statsmodels.api.add_constant",
            "scipy.stats.describe",
            "mylib.initial",
            "mylib.user",
            "mylib.settle",
        ),
        *("pandas.set_option", "numpy.random.seed", "seaborn.set_theme", "warnings.filterwarnings", "random.seed"),
        *("matplotlib.pyplot.style.use", "datetime.datetime", "logging.basicConfig", "sys.setrecursionlimit"),
    ],
)
def test_any_other_call_or_one_whose_library_is_known_does_not(chain: str) -> None:
    assert not configures(chain)
    assert not configures(chain, bare=True)


def test_doubts_inside_functions_and_comprehensions_are_seen() -> None:
    assert phrases(doubts("def f():\n    return [eval(x) for x in y]").certain) == "runs code built at run time (eval)"


def test_a_cell_is_doubted_through_ipythons_transformer() -> None:
    assert phrases(cell_facts("!pip list").doubts.certain) == "starts a process (!)"
    assert cell_facts("%matplotlib inline").doubts.certain == ()
    assert phrases(cell_facts("%cd ..").doubts.certain) == "runs the magic %cd"


def test_names_that_only_look_like_built_in_functions_are_none() -> None:
    assert cell_facts("for id in rows:\n    print(id)").doubts.certain == ()
    assert cell_facts("def forward(self, input):\n    return input * 2\nforward(1, 2)").doubts.certain == ()
    assert phrases(cell_facts("print(id)").doubts.certain) == "reads something that differs between processes (id)"


def test_what_a_function_does_counts_where_it_may_be_called() -> None:
    define = "def f():\n    return datetime.now()"
    assert cell_facts(define).doubts.certain == ()
    assert phrases(cell_facts(f"{define}\nf()").doubts.certain) == "reads the clock (now)"
    assert phrases(cell_facts(f"{define}\nrows.map(f)").doubts.certain) == "reads the clock (now)"
    assert phrases(source_facts(define).doubts.certain) == "reads the clock (now)"
    assert cell_facts("class C:\n    def __repr__(self):\n        return eval(self.x)").doubts.certain == ()
    assert cell_facts("class C:\n    x = eval('1')\n    def m(self): pass").doubts.certain
    assert cell_facts("def f(t=time.time()):\n    pass").doubts.chains >= {"time.time"}
    assert cell_facts("@run\ndef f():\n    return datetime.now()").doubts.certain
    assert cell_facts("class C(Base):\n    def m(self):\n        return datetime.now()").doubts.certain
    assert cell_facts("class C:\n    @run\n    def m(self):\n        return datetime.now()").doubts.certain
    assert cell_facts("class C:\n    def m():\n        return datetime.now()\n    x = m()").doubts.certain
    assert cell_facts("class C:\n    class D:\n        def m(self):\n            return eval('1')").doubts.certain
    assert cell_facts("f = lambda: datetime.now()").doubts.certain


@pytest.mark.parametrize(
    ("code", "paths"),
    [
        ("os.path.exists('a.csv')", {"a.csv"}),
        ("Path('b').is_dir()", {"b"}),
        ("p = 'c' + '.csv'\nif not os.path.isfile(p):\n    pass", {"c.csv"}),
    ],
)
def test_asking_whether_a_plain_path_exists_is_an_ingredient(code: str, paths: set[str]) -> None:
    assert doubts(code).looks == paths
    assert doubts(code).certain == ()
    assert not any("exists" in chain or "is" in chain for chain in doubts(code).chains)


def test_files_of_native_readers_and_writers_are_found_where_they_are_plain() -> None:
    found = doubts(
        "p = 'a.parquet'\npd.read_parquet(p)\nd.to_parquet('b')\nd.to_feather(path=q)\npq.write_table(t, 'c')"
    )
    assert (found.native_texts, found.native_names) == ({"a.parquet"}, set())
    assert (found.native_write_texts, found.native_write_names) == ({"b", "c"}, {"q"})
    assert doubts("xgb.DMatrix('train.libsvm')").native_texts == {"train.libsvm"}
    assert doubts("d.to_parquet()").certain == ()
    assert doubts("def f(p):\n    pd.read_parquet(p)\np = 'a'").native_names == {"p"}


def test_a_seed_that_is_none_by_default_is_none() -> None:
    for code in ("def f(n, seed=None):\n    default_rng(seed)", "def f(*, seed=None):\n    default_rng(seed=seed)"):
        assert phrases(doubts(code).certain) == "draws fresh entropy (default_rng with a seed that may be None)"
    assert doubts("def f(seed, n=None):\n    default_rng(seed)").certain == ()


def test_variables_given_as_seeds_are_noted() -> None:
    assert doubts("default_rng(seed)\nRandomState(seed=other)").seed_names == {"seed", "other"}


def test_setting_an_attribute_by_name_is_as_setting_it() -> None:
    assert doubts("setattr(np, 'x', 1)").stores == {"np.x"}
    assert doubts("setattr(np.y, name, 1)").stores == {"np.y.?"}


def test_a_second_name_for_a_part_of_a_module_is_an_alias() -> None:
    assert ("t", "time.time") in doubts("import time\nt = time.time\nt()").aliases


@pytest.mark.parametrize(
    ("code", "certain", "magics"),
    [
        ("%matplotlib inline", "", ""),
        ("%config InlineBackend.figure_format = 'retina'", "", ""),
        ("%config InteractiveShell.ast_node_interactivity = 'all'", "runs the magic %config", "config"),
        ("%precision 3", "runs the magic %precision", "precision"),
        ("%xmode Plain", "runs the magic %xmode", ""),
        ("%load_ext line_profiler", "runs the magic %load_ext", ""),
        ("% matplotlib inline", "", ""),
        ("%%html\n<b>x</b>", "", ""),
        ("%%writefile a.py\nx = 1", "", ""),
        ("%%bash\nls", "starts a process (%%bash)", ""),
        ("%%sql\nselect 1", "runs the magic %%sql", "sql"),
        ("%prun f(x)", "", ""),
        ("f?", "", ""),
        ("x = %sql select 1", "runs the magic %sql", "sql"),
        ("%time y = f(", "runs the magic %time", "time"),
    ],
)
def test_each_magic_has_its_doubts(code: str, certain: str, magics: str) -> None:
    found = cell_facts(code).doubts
    assert phrases(found.certain) == certain
    assert found.magics == set(magics.split())


def test_code_that_may_read_anything_is_never_without_a_reason() -> None:
    for code in ("duckdb.sql(text)", "%who", "sys.modules['x']", "timeit.timeit('f()', 'from __main__ import f')"):
        facts = cell_facts(code)
        assert facts.names.everything
        assert facts.doubts.certain
