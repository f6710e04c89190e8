"""What makes a step's result depend on more than its code and inputs, or change more than its names.

The answer is symbolic: dotted chains with their roots as written. `capture` knows what the roots are at run time and
asks `reason_for` with the real module's name in front.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from jupyter_mlops.analysis.magics import code_of, magic_call

SHELL_NAMES = frozenset({"_", "__", "___", "Out", "In", "_oh", "_ih", "_dh", "_i", "_ii", "_iii"})

_BARE = {
    **dict.fromkeys(("eval", "exec", "compile", "__import__"), "runs code made while running"),
    **dict.fromkeys(("globals", "locals", "vars", "dir"), "looks into the namespace"),
    **dict.fromkeys(("id", "hash"), "reads what differs from process to process"),
    **dict.fromkeys(("setattr", "delattr"), "sets attributes by name"),
    **dict.fromkeys(("input", "breakpoint"), "asks the user"),
    "get_ipython": "talks to the shell",
}
_CLOCK = "reads the clock"
_FILES = "looks for files"
_ENTROPY = "draws fresh entropy"
_NETWORK = "talks to the network"
_PROCESS = "starts a process"
_THREAD = "starts threads or tasks"
_DATABASE = "reads a database"
_INSIDE = "looks into the interpreter"
_ATTRIBUTES = {
    **dict.fromkeys(("now", "today", "utcnow"), _CLOCK),
    **dict.fromkeys(
        ("exists", "is_file", "is_dir", "isfile", "isdir", "iterdir", "rglob", "getmtime", "getsize", "listdir"), _FILES
    ),
    **dict.fromkeys(("scandir", "lstat", "samefile"), _FILES),
    **dict.fromkeys(("uuid1", "uuid4", "token_hex", "token_bytes", "token_urlsafe", "urandom"), _ENTROPY),
    **dict.fromkeys(("read_sql", "read_sql_query", "read_sql_table", "create_engine"), _DATABASE),
    **dict.fromkeys(("urlopen", "urlretrieve"), _NETWORK),
    "f_globals": _INSIDE,
    "f_locals": _INSIDE,
    "__globals__": _INSIDE,
    "__dict__": _INSIDE,
}
_MODULES = {
    **dict.fromkeys(("requests", "httpx", "aiohttp", "urllib.request", "http.client", "socket", "ftplib"), _NETWORK),
    **dict.fromkeys(("subprocess", "multiprocessing", "pexpect"), _PROCESS),
    **dict.fromkeys(("threading", "concurrent.futures", "asyncio"), _THREAD),
    **dict.fromkeys(("sqlite3", "psycopg", "psycopg2", "duckdb", "pymysql"), _DATABASE),
    **dict.fromkeys(("ctypes", "gc", "inspect", "importlib", "weakref", "sys", "builtins", "types"), _INSIDE),
    **dict.fromkeys(("secrets",), _ENTROPY),
    **dict.fromkeys(("glob", "os.path.exists", "os.path.isfile", "os.path.isdir", "os.stat", "os.walk"), _FILES),
    **dict.fromkeys(("os.getcwd", "os.getcwdb", "pathlib.Path.cwd", "pathlib.Path.home"), "reads the working folder"),
    **dict.fromkeys(("time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime"), _CLOCK),
    **dict.fromkeys(("time.strftime", "time.asctime"), _CLOCK),
    **dict.fromkeys(("os.system", "os.popen", "os.fork", "os.spawnl", "os.spawnv", "os.posix_spawn"), _PROCESS),
    **dict.fromkeys(("os.getpid", "os.getppid", "os.getlogin", "os.cpu_count", "os.uname"), _INSIDE),
    **dict.fromkeys(("os.remove", "os.unlink", "os.rename", "os.makedirs", "os.mkdir", "shutil"), "changes files"),
    "tempfile": "makes temporary files",
    "random.SystemRandom": _ENTROPY,
    "sklearn.datasets.fetch_": _NETWORK,
}
_HOMES = {"posix": "os", "nt": "os", **dict.fromkeys(("posixpath", "ntpath", "genericpath"), "os.path")}
"""Where functions of `os` say they come from."""
_SYS_HARMLESS = ("sys.stdout", "sys.stderr", "sys.version", "sys.version_info", "sys.maxsize", "sys.getsizeof")
_MLFLOW_HARMLESS = (
    "log_",
    "set_tag",
    "autolog",
    "start_run",
    "end_run",
    "set_experiment",
    "set_tracking_uri",
    "sklearn",
)
_NATIVE_READERS = frozenset(
    {"read_parquet", "read_feather", "read_orc", "read_hdf", "read_table", "read_ipc", "read_avro", "read_delta"}
    | {"scan_parquet", "scan_csv", "scan_ipc", "scan_ndjson", "memory_map", "open_dataset", "open_mfdataset"}
    | {"open_zarr", "imread", "File", "DMatrix", "Dataset", "read_file", "from_file", "read_deltalake"}
)
"""Functions that may open files without Python's knowing. Where the file's name is plain to see, it is in the key."""
_UNSEEDED = frozenset({"default_rng", "RandomState", "Generator", "PCG64", "MT19937", "SeedSequence"})
_CONFIGURES: tuple[str, ...] = (
    "set_",
    "use",
    "register",
    "configure",
    "enable",
    "disable",
    "install",
    "filterwarnings",
    "simplefilter",
)
_CONFIGURES += ("basicConfig", "option_context", "seed", "manual_seed", "init", "reset", "monkey", "patch", "add_")
_KNOWN_STATE = (
    "random",
    "numpy",
    "pandas",
    "sklearn",
    "matplotlib",
    "mlflow",
    "IPython",
    "math",
    "time",
    "warnings.warn",
)
"""Modules whose bare calls change nothing that the fingerprints (random state, options) would not show."""


@dataclass(frozen=True)
class Doubts:
    """What was found, for `capture` to weigh.

    `certain` are reasons that hold whatever the names stand for; `chains` dotted uses (`np.random.default_rng`), to be
    asked of `reason_for`; `stores` chains that are assigned into; `calls` chains called for their effect; `environment`
    the constant names of environment variables read; `magics` the names of IPython magics other than code magics.
    """

    certain: tuple[str, ...]
    chains: frozenset[str]
    stores: frozenset[str]
    calls: frozenset[str]
    environment: frozenset[str]
    magics: frozenset[str]
    native_texts: frozenset[str]
    native_names: frozenset[str]
    """What native readers are given: texts as written, and names of variables."""
    aliases: tuple[tuple[str, str], ...]
    """What the code itself imports: (name as bound, dotted module or member)."""


def reason_for(chain: str) -> str | None:
    """Why a use of `chain` (its root the real module's dotted name) makes a result unrepeatable, or None."""
    if chain.startswith(_SYS_HARMLESS):
        return None
    if chain.partition(".")[0] == "mlflow":
        rest = chain.partition(".")[2]
        return None if not rest or rest.startswith(_MLFLOW_HARMLESS) else "talks to MLflow"
    root, _, rest = chain.partition(".")
    if rest and root in _HOMES:
        chain = f"{_HOMES[root]}.{rest}"
    member = chain.rpartition(".")[2]
    if rest and member in _ATTRIBUTES:
        return f"{_ATTRIBUTES[member]} ({chain})"
    for prefix, reason in _MODULES.items():
        if chain == prefix or chain.startswith(prefix if prefix.endswith("_") else prefix + "."):
            return f"{reason} ({chain})" if "." in chain else None
    return None


def configures(chain: str, *, bare: bool) -> bool:
    """Whether a call of `chain` may change a library's state in a way no fingerprint shows.

    `bare` says that the call's result is thrown away, so that it can only be meant for its effect.
    """
    if any(chain == known or chain.startswith(known + ".") for known in _KNOWN_STATE):
        return False
    return bare or chain.rpartition(".")[2].startswith(_CONFIGURES)


def find_doubts(tree: ast.Module) -> Doubts:
    """The doubts of a cell, function or module."""
    finder = _Finder()
    finder.visit(tree)
    return Doubts(
        tuple(dict.fromkeys(finder.certain)),
        frozenset(finder.chains),
        frozenset(finder.stores),
        frozenset(finder.calls),
        frozenset(finder.environment),
        frozenset(finder.magics),
        frozenset(finder.native_texts),
        frozenset(finder.native_names),
        tuple(sorted(finder.aliases)),
    )


def _chain(node: ast.AST) -> str | None:
    """`a.b.c` as text, or None where the root is no name. A subscript or call in between ends the chain there."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript):
            parts.clear()
            node = node.value
        elif isinstance(node, ast.Name):
            return ".".join([node.id, *reversed(parts)])
        else:
            return None


class _Finder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.certain: list[str] = []
        self.chains: set[str] = set()
        self.stores: set[str] = set()
        self.calls: set[str] = set()
        self.environment: set[str] = set()
        self.magics: set[str] = set()
        self.native_texts: set[str] = set()
        self.native_names: set[str] = set()
        self.aliases: set[tuple[str, str]] = set()

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.aliases.add((alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.certain.append(f"imports all of {node.module}")
            elif not node.level:
                self.aliases.add((alias.asname or alias.name, f"{node.module}.{alias.name}"))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            if node.id in _BARE:
                self.certain.append(f"{_BARE[node.id]} ({node.id})")
            self.chains.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain = _chain(node)
        if chain is not None:
            (self.chains if isinstance(node.ctx, ast.Load) else self.stores).add(chain)
        if isinstance(node.ctx, ast.Load) and node.attr in _ATTRIBUTES:
            self.certain.append(f"{_ATTRIBUTES[node.attr]} ({node.attr})")
        if node.attr == "environ":
            self.certain.append("reads the environment")
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if _is_environ(node.value) and isinstance(node.ctx, ast.Load) and _text(node.slice) is not None:
            self.environment.add(str(_text(node.slice)))
            return
        if not isinstance(node.ctx, ast.Load):
            chain = _chain(node.value)
            if chain is not None and "." in chain:
                self.stores.add(chain)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call):
            chain = _chain(call.func)
            if chain is not None:
                self.calls.add(chain)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if self._reads_environment(node) or self._is_magic(node):
            return
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0] if node.args else None
        if name in _UNSEEDED and (first is None or (isinstance(first, ast.Constant) and first.value is None)):
            self.certain.append(f"{_ENTROPY} ({name} without a seed)")
        if name in ("query", "eval") and isinstance(node.func, ast.Attribute) and _text(first) is None:
            self.certain.append(f"may read any variable ({name} of a computed text)")
        if name in _NATIVE_READERS:
            self._native(name, first)
        if name in ("Timestamp", "to_datetime", "datetime64") and _text(first) in ("now", "today"):
            self.certain.append(f"{_CLOCK} ({name})")
        if name in ("load_ext", "fetch_openml") or (name or "").startswith("fetch_"):
            self.certain.append(f"{_NETWORK} ({name})")
        self.generic_visit(node)

    def _native(self, name: str, first: ast.expr | None) -> None:
        text = _text(first)
        if text is not None:
            self.native_texts.add(text)
        elif isinstance(first, ast.Name):
            self.native_names.add(first.id)
        else:
            self.certain.append(f"reads a file whose name is computed ({name})")

    def _reads_environment(self, node: ast.Call) -> bool:
        function = node.func
        if not isinstance(function, ast.Attribute) or _text(node.args[0] if node.args else None) is None:
            return False
        if function.attr == "getenv" or (function.attr == "get" and _is_environ(function.value)):
            self.environment.add(str(_text(node.args[0])))
            for argument in node.args[1:]:
                self.visit(argument)
            return True
        return False

    def _is_magic(self, node: ast.Call) -> bool:
        magic = magic_call(node)
        inner = code_of(magic) if magic is not None else None
        if inner is not None:
            self.visit(inner[0])
            return True
        match node.func:
            case ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=attribute):
                if attribute in ("run_line_magic", "run_cell_magic"):
                    name = _text(node.args[0] if node.args else None) or "?"
                    self.magics.add(name)
                    if name not in ("matplotlib",):
                        self.certain.append(f"runs the magic %{name}")
                elif attribute in ("system", "getoutput"):
                    self.certain.append(f"{_PROCESS} (!)")
                else:
                    self.certain.append("talks to the shell")
                return True
        return False


def _is_environ(node: ast.AST) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "environ") or (
        isinstance(node, ast.Name) and node.id == "environ"
    )


def _text(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
