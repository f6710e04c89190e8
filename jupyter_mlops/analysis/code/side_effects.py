"""What reads the world or changes it, by name: functions, attributes, modules, and calls that configure a library."""

from __future__ import annotations

import re

from jupyter_mlops.domain.reason import Reason, ReasonCode

CLOCK = ReasonCode.CLOCK
FILES = ReasonCode.LOOKS_FOR_FILES
ENTROPY = ReasonCode.ENTROPY
NETWORK = ReasonCode.NETWORK
PROCESS = ReasonCode.PROCESS
DATABASE = ReasonCode.DATABASE
INSIDE = ReasonCode.INTERPRETER
CHANGES_FILES = ReasonCode.CHANGES_FILES
ASKS = ReasonCode.ASKS

BARE = {
    **dict.fromkeys(("eval", "exec", "compile", "__import__"), ReasonCode.RUNS_CODE),
    "globals": ReasonCode.NAMESPACE,
    **dict.fromkeys(("id", "hash"), ReasonCode.IDENTITY),
    **dict.fromkeys(("input", "breakpoint"), ASKS),
    "get_ipython": ReasonCode.SHELL,
}
"""Functions that are a reason wherever they are named."""
LOCAL_BARE = dict.fromkeys(("locals", "vars", "dir"), ReasonCode.NAMESPACE)
"""The same where they are called without an argument, outside any function."""
ATTRIBUTES = {
    **dict.fromkeys(("now", "today", "utcnow"), CLOCK),
    **dict.fromkeys(("exists", "is_file", "is_dir", "isfile", "isdir", "lexists", "getmtime", "getsize"), FILES),
    **dict.fromkeys(("getctime", "getatime", "lstat", "samefile"), FILES),
    **dict.fromkeys(("uuid1", "uuid4", "token_hex", "token_bytes", "token_urlsafe", "urandom"), ENTROPY),
    **dict.fromkeys(("read_sql", "read_sql_query", "read_sql_table", "create_engine"), DATABASE),
    **dict.fromkeys(("urlopen", "urlretrieve"), NETWORK),
    "f_globals": INSIDE,
    "f_locals": INSIDE,
    "__globals__": INSIDE,
    "__subclasses__": INSIDE,
}
"""Attributes that are a reason whatever they belong to."""
EXISTENCE = frozenset({"exists", "is_file", "is_dir", "isfile", "isdir", "lexists"})
"""Those that ask only whether there is something: a dependency where the path is plain to see."""
MODULES = {
    **dict.fromkeys(("requests", "httpx", "aiohttp", "urllib.request", "http.client", "socket", "ftplib"), NETWORK),
    **dict.fromkeys(("subprocess", "multiprocessing", "pexpect"), PROCESS),
    **dict.fromkeys(("concurrent.futures.ProcessPoolExecutor", "concurrent.futures.process"), PROCESS),
    **dict.fromkeys(("threading", "concurrent.futures", "asyncio"), ReasonCode.THREADS),
    **dict.fromkeys(("psycopg", "psycopg2", "duckdb", "pymysql"), DATABASE),
    **dict.fromkeys(("ctypes", "inspect", "importlib", "weakref", "sys", "builtins"), INSIDE),
    **dict.fromkeys(("gc.get_objects", "gc.get_referrers", "types.FunctionType"), INSIDE),
    **dict.fromkeys(("secrets",), ENTROPY),
    **dict.fromkeys(("os.path.exists", "os.path.isfile", "os.path.isdir", "os.stat"), FILES),
    **dict.fromkeys(("os.getcwd", "os.getcwdb", "pathlib.Path.cwd", "pathlib.Path.home"), ReasonCode.WORKING_FOLDER),
    **dict.fromkeys(("time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime"), CLOCK),
    **dict.fromkeys(("time.strftime", "time.asctime"), CLOCK),
    **dict.fromkeys(("os.system", "os.popen", "os.fork", "os.spawnl", "os.spawnv", "os.posix_spawn"), PROCESS),
    **dict.fromkeys(("os.getpid", "os.getppid", "os.getlogin", "os.cpu_count", "os.uname"), ReasonCode.MACHINE),
    "psutil": ReasonCode.MACHINE,
    **dict.fromkeys(("os.remove", "os.unlink", "os.rename", "os.replace", "os.rmdir", "shutil"), CHANGES_FILES),
    **dict.fromkeys(("os.removedirs", "os.symlink", "os.link", "os.chmod"), CHANGES_FILES),
    **dict.fromkeys(("getpass.getpass",), ASKS),
    **dict.fromkeys(("os.kill", "os.killpg", "os.abort"), ReasonCode.SIGNALS),
    **{
        f"signal.{name}": ReasonCode.SIGNALS
        for name in str.split(
            "signal alarm setitimer getitimer getsignal raise_signal pthread_kill pthread_sigmask pause sigwait sigwaitinfo "
            "sigtimedwait sigpending siginterrupt set_wakeup_fd"
        )
    },
    **dict.fromkeys(("atexit.register", "atexit.unregister", "gc.callbacks"), ReasonCode.CALLED_LATER),
    "tempfile": ReasonCode.TEMPORARY_FILES,
    "random.SystemRandom": ENTROPY,
}
"""Dotted prefixes of what is a reason when it is used."""
HARMLESS = (
    *(
        f"sys.{name}"
        for name in ("stdout", "stderr", "version", "version_info", "maxsize", "getsizeof", "path", "platform")
    ),
    *(
        f"sys.{name}"
        for name in ("byteorder", "float_info", "int_info", "hexversion", "implementation", "intern", "exit")
    ),
    *(f"sys.{name}" for name in ("exc_info", "maxunicode", "getdefaultencoding", "getrefcount")),
    *(f"asyncio.{name}" for name in ("sleep", "run", "gather", "wait_for", "Queue", "Lock", "Semaphore", "Event")),
    *(f"threading.{name}" for name in ("Lock", "RLock", "local", "current_thread", "get_ident")),
    *(f"concurrent.futures.{name}" for name in ("ThreadPoolExecutor", "as_completed", "wait", "thread", "Executor")),
    *(
        f"inspect.{name}"
        for name in ("signature", "getsource", "getdoc", "isclass", "isfunction", "Parameter", "getmembers")
    ),
    *("importlib.metadata", "importlib.resources", "importlib.util"),
)
"""Parts of those that are none. What starts a thread that is left over is seen while running."""
HOMES = {
    "posix": "os",
    "nt": "os",
    "_signal": "signal",
    **dict.fromkeys(("posixpath", "ntpath", "genericpath"), "os.path"),
}
"""Where functions of `os` say they come from."""
_INSIDE = {"pathlib._abc.PathBase.": "pathlib.Path.", "pathlib._local.": "pathlib."}
"""Where those of `pathlib` say so in Python 3.13."""
MLFLOW_HARMLESS = (
    *("log_", "set_tag", "autolog", "start_run", "end_run", "set_experiment", "set_tracking_uri", "sklearn"),
    *("models.infer_signature", "models.signature", "active_run"),
)
NATIVE_READERS = frozenset(
    {"read_parquet", "read_feather", "read_orc", "read_hdf", "read_table", "read_ipc", "read_avro", "read_delta"}
    | {"scan_parquet", "scan_csv", "scan_ipc", "scan_ndjson", "memory_map", "open_dataset", "open_mfdataset"}
    | {"open_zarr", "imread", "read_file", "from_file", "read_deltalake"}
)
"""Functions that may open files without Python's knowing. Where the file's name is plain to see, it is in the key."""
MAYBE_READERS = frozenset({"File", "DMatrix", "Dataset", "load_model", "Booster"})
"""Functions that may be given a file's name, but are more often given something else."""
NATIVE_WRITERS = {
    **dict.fromkeys(("to_parquet", "to_feather", "to_orc", "to_hdf", "write_parquet", "write_ipc", "write_csv"), 0),
    **dict.fromkeys(
        ("write_ndjson", "sink_parquet", "sink_csv", "sink_ipc", "write_delta", "imwrite", "write_image"), 0
    ),
    **dict.fromkeys(("to_netcdf", "to_zarr", "to_file", "write_excel", "imsave", "save_model", "save_raw"), 0),
    **dict.fromkeys(("write_table", "write_feather", "write_dataset", "write_deltalake", "write_to_dataset"), 1),
}
"""Functions that may write files without Python's knowing, and which argument names the file."""
PATHS = ("path", "filename", "fname", "where", "file", "dest", "path_or_buf", "source", "uri")
UNSEEDED = frozenset({"default_rng", "RandomState", "PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64", "SeedSequence"})
UNSEEDED |= {"Random", "seed"}
"""Functions that take their seed from the machine where they are given none."""
CONFIGURES = re.compile(
    r"(set|use|register|unregister|configure|config|enable|disable|install|activate|deactivate|init|initialize|reset|seed"
    r"|manual_seed|monkeypatch|patch|filterwarnings|simplefilter|theme|extension)(_|\Z)|(set|use|register|enable)[A-Z]"
)
"""What the last part of a call's name begins with, where the call is made to configure something."""
KNOWN_STATE = (
    *(
        "random",
        "numpy",
        "pandas",
        "sklearn",
        "matplotlib",
        "matplotlib_inline",
        "seaborn",
        "scipy",
        "mlflow",
        "IPython",
    ),
    *(
        "math",
        "time",
        "warnings",
        "logging",
        "locale",
        "decimal",
        "os",
        "sys",
        "shutil",
        "torch.manual_seed",
        "torch.seed",
    ),
    *("torch.set_default_dtype", "torch.set_printoptions", "collections", "datetime", "builtins"),
)
"""Modules and functions that change nothing which the fingerprints of options and generators would not show."""
QUIET_MAGICS = frozenset(
    str.split(
        "load_ext reload_ext unload_ext mlops cd pwd ls ll la mkdir rmdir rm cp mv cat env set_env pip conda mamba uv "
        "autoreload aimport xmode colors alias unalias bookmark dirs pushd popd dhist history hist lsmagic magic quickref "
        "notebook rehashx tb pdb debug connect_info watermark killbgscripts logstart logstop less more man "
        "who whos who_ls psearch pinfo pinfo2 pdoc psource pdef pfile pycat page matplotlib"
    )
)
"""Line magics after which later cells give the same results as before."""
SILENT_MAGICS = frozenset(
    {
        "matplotlib",
        "mlops",
        "pinfo",
        "pinfo2",
        "pdoc",
        "psource",
        "pdef",
        "pfile",
        "pycat",
        "page",
        "lsmagic",
        "quickref",
    }
)
"""Line magics that are no reason to run a step again."""


def reason_for(chain: str) -> Reason | None:
    """Why a use of `chain` (its root the real module's dotted name) makes a result unrepeatable, or None."""
    root, _, rest = chain.partition(".")
    if root == "mlflow":
        return None if not rest or rest.startswith(MLFLOW_HARMLESS) else Reason(ReasonCode.MLFLOW)
    if rest and root in HOMES:
        chain = f"{HOMES[root]}.{rest}"
    for inside, home in _INSIDE.items():
        if chain.startswith(inside):
            chain = home + chain.removeprefix(inside)
    if _begins(chain, HARMLESS):
        return None
    member = chain.rpartition(".")[2]
    if rest and member in ATTRIBUTES:
        return Reason(ATTRIBUTES[member], chain)
    for prefix, code in MODULES.items():
        if chain == prefix or chain.startswith(f"{prefix}."):
            return Reason(code, chain) if "." in chain else None
    return None


_BACKENDS = {f"matplotlib.{name}" for name in ("use", "pyplot.switch_backend", "pyplot.ion", "pyplot.ioff")}


def configures(chain: str, *, bare: bool = False) -> bool:
    """Whether a call of `chain` may change a library's state in a way no fingerprint shows.

    `bare`, whether the call's result is thrown away, does not count: what a library holds is compared while running.
    """
    member = chain.rpartition(".")[2]
    if chain in _BACKENDS or (member.startswith(("register", "unregister")) and not chain.startswith("mlflow.")):
        return True
    if _begins(chain, KNOWN_STATE):
        return False
    return CONFIGURES.match(chain.rpartition(".")[2]) is not None


def _begins(chain: str, known: tuple[str, ...]) -> bool:
    return any(chain == item or chain.startswith(f"{item}.") for item in known)
