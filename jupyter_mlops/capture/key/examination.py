"""A step's key: a hash over everything its result can depend on, each part kept by name so that `why` can tell.

It is made of what is known of the names the step may read, so that values of reused steps need not be loaded for it.
What cannot be told is a reason not to reuse. Nothing here runs user code but the reductions of values.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import xxhash

from jupyter_mlops.analysis.code.doubts import SHELL_NAMES, Doubts, reason_for
from jupyter_mlops.analysis.code.facts import CodeFacts, source_facts
from jupyter_mlops.analysis.code.magics import EVERYTHING
from jupyter_mlops.capture.digest.content import ALGORITHM, Walker
from jupyter_mlops.capture.key import environment
from jupyter_mlops.capture.key.effects import ANY_LIBRARY, effects_of
from jupyter_mlops.capture.key.modules import LocalModules, module_doubts
from jupyter_mlops.capture.key.resolver import Resolver as Resolver
from jupyter_mlops.capture.key.value_facts import ValueFacts, ended
from jupyter_mlops.capture.key.world import World
from jupyter_mlops.capture.libraries import is_untold
from jupyter_mlops.domain.reason import Reason, ReasonCode
from jupyter_mlops.secrets.known import holds, keyed
from jupyter_mlops.store.files.digests import named_files
from jupyter_mlops.store.files.zipped_modules import source_text

ABSENT = "absent"
_BUILTINS = {**vars(builtins), **dict.fromkeys(("display", "get_ipython"))}
_ANY_NAME = {"builtins.eval", "builtins.exec", "builtins.globals", "builtins.locals", "builtins.vars"}
"""What reads or binds names that stand in no code, also by another name (`from builtins import eval as run`)."""
_NUMBERED = re.compile(r"_i?\d+\Z")
_PROCESS_STATES = ("warnings", "decimal", "locale", "environ", "timezone", "cwd", "sys.path", "logging")
_BY_LOCALE = re.compile(r"(^|:)([^{}]?[<>=^])?[-+ ]?z?#?0?\d*[,_]?(\.\d+)?n(\}|$)")
"""A number is formatted as the locale has it: `f"{x:n}"`, `"{:n}".format(x)`, `format(x, "n")`."""
_PLOTTING = {"matplotlib", "matplotlib_inline", "numpy"}
OPEN_BY_PYTHON = {"numpy", "pandas", "sklearn", "matplotlib", "mpl_toolkits", "seaborn", "scipy", "statsmodels", "PIL"}
OPEN_BY_PYTHON |= {"IPython", "ipywidgets", "mlflow", "joblib", "tqdm", "rich", "yaml", "cloudpickle", "jupyter_mlops"}
"""Packages that open files through Python, where they are seen, but for the readers that `analysis.code.doubts` names."""
_OPTIONS = {
    "numpy": {"numpy"},
    "scipy": {"numpy", "scipy"},
    "pandas": {"pandas", *_PLOTTING},
    "matplotlib": _PLOTTING,
    "sklearn": {"sklearn", "numpy", "pandas", "scipy"},
    "mlflow": set(),
    "jupyter_mlops": set(),
    "IPython": set(),
}
"""Library → libraries whose options its results may depend on. Any other may depend on all."""


@dataclass
class Examination:
    """All that is known before a step runs.

    `ingredients` are the parts of the key; `reasons` why its result could not be reused whatever the key; `effects` are
    those among them that change a library's state in a way no one can hash, by library, so that later steps that use
    that library depend on this cell having run. `inputs` are the names the step may read, followed through functions.
    """

    facts: CodeFacts
    ingredients: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, ValueFacts] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
    effects: dict[str, list[Reason]] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    """Files that native code may write, unseen."""
    everything: bool = False
    """Whether the step may read or change any name at all."""
    libraries: dict[str, str] | None = None
    """Library → digest of its options when the step was examined; None where they did not matter."""

    @property
    def key(self) -> str:
        """The key as text; it names its algorithm."""
        text = "\n".join(f"{name}\0{value}" for name, value in sorted(self.ingredients.items()))
        return f"{ALGORITHM}:{xxhash.xxh3_128_hexdigest(text.encode('utf-8', 'surrogatepass'))}"

    @property
    def touches(self) -> set[str] | None:
        """The names whose values running the step may change in place; None for all."""
        return None if self.everything else set(self.inputs)


def examine(facts: CodeFacts, world: World, modules: LocalModules, *, display_mode: str) -> Examination:
    """Examine a step that would begin in `world`; `display_mode` is how the shell shows results."""
    examination = Examination(facts)
    examination.ingredients |= {"code": facts.digest, "python": environment.python_minor(), "display": display_mode}
    _Examiner(examination, world, modules).examine()
    return examination


class _Examiner:
    def __init__(self, found: Examination, world: World, modules: LocalModules) -> None:
        self.found = found
        self.world = world
        self.modules = modules
        self._local: set[str] = set()

    def examine(self) -> None:
        examination = self.found
        examination.everything = reads_everything(examination.facts)
        self._inputs()
        names = set(examination.facts.names.imports).union(*(item.modules for item in examination.inputs.values()))
        names |= {item.dotted for item in examination.inputs.values() if item.kind == "module"}
        names |= {
            name for item in examination.inputs.values() for source in item.sources for name in _imports_in(source)
        }
        examination.packages |= {name.lstrip(".").partition(".")[0] for name in names if name.lstrip(".")}
        closure = self.modules.closure(names)
        self._local = set(closure)
        if closure:
            digests, doubts = self.modules.ingredients(closure, Walker({}))
            examination.ingredients |= {f"module:{name}": digest for name, digest in digests.items()}
            examination.reasons += doubts
        for file in closure.values():
            self._weigh(module_doubts(file), os.path.basename(file), own=True)
            examination.packages |= {name.lstrip(".").partition(".")[0] for name in _imports_of(file)}
        self._weigh(examination.facts.doubts, "")
        self._native_files()
        self._native_writes()
        self._seeds()
        examination.reasons += ended(examination.facts.names.writes, self.world.know)
        self._functions()
        for effects in examination.effects.values():
            examination.reasons += [reason for reason in effects if reason not in examination.reasons]
        self._libraries()
        self._named_files()

    def _named_files(self) -> None:
        """Where native code may open files unseen, any file that a text names may be read."""
        found, doubts = self.found, self.found.facts.doubts
        natively = bool(doubts.native_texts or doubts.native_names)
        if not natively and not found.packages - OPEN_BY_PYTHON - sys.stdlib_module_names:
            return
        texts = self._texts() | {item.text for item in found.inputs.values() if item.text}
        for path in named_files(texts, self._folder()):
            found.ingredients[f"file:{path}"] = self.world.file(path)

    def _folder(self) -> str:
        """Where relative paths begin: in a forecast that is not where this process works."""
        try:
            return self.world.folder()
        except OSError:  # it was removed
            return ""

    def _texts(self) -> set[str]:
        """The texts in the step's code and in the functions it may call."""
        texts = set(self.found.facts.names.strings)
        for item in self.found.inputs.values():
            for source in item.sources:
                with contextlib.suppress(SyntaxError, ValueError):
                    texts |= source_facts(source).names.strings
        return texts

    def _inputs(self) -> None:
        """What the step reads, followed through what the notebook's functions look up when called."""
        examination = self.found
        waiting = sorted(examination.facts.names.reads)
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in SHELL_NAMES or _NUMBERED.match(name):
                examination.reasons.append(Reason(ReasonCode.SHELL_HISTORY, name))
                continue
            known = self.world.know(name)
            if known is None:
                if name not in vars(builtins) or name == "__annotations__":  # which any look at a module may make
                    examination.ingredients[f"input:{name}"] = ABSENT
                elif name not in _BUILTINS or _BUILTINS[name] not in (None, vars(builtins)[name]):
                    examination.packages.add("builtins")  # what someone put there is known by the cell that did it
                if name == examination.facts.doubts.automagic:
                    examination.reasons.append(Reason(ReasonCode.MAGIC, f"%{name}"))
                continue
            if known.dotted.startswith("IPython.core") and known.kind != "module":
                continue  # one of the names that IPython itself puts into the namespace
            examination.inputs[name] = known
            examination.reasons += known.doubts
            if known.digest:
                examination.ingredients[f"input:{name}"] = known.digest
            else:
                examination.reasons.append(Reason(ReasonCode.UNTOLD_VALUE, name, known.lost))
            waiting += known.globals

    def _functions(self) -> None:
        """Functions of the notebook that the step may call: their doubts are the step's."""
        for item in list(self.found.inputs.values()):
            for source in item.sources:
                try:
                    facts = source_facts(source)
                except (SyntaxError, ValueError):
                    self.found.reasons.append(Reason(ReasonCode.UNREADABLE_FUNCTION))
                    continue
                if EVERYTHING in facts.names.carries:
                    self.found.everything = True
                    if not facts.doubts.certain:
                        self.found.reasons.append(Reason(ReasonCode.ANY_VARIABLE, where=_name_of(source)))
                self._weigh(facts.doubts, _name_of(source))

    def _weigh(self, doubts: Doubts | None, where: str, *, own: bool = False) -> None:
        """Take the doubts of a piece of code: of the function or file `where`, or ("") the step's own. `own` for a module,
        whose names are its own."""
        examination = self.found
        if doubts is None:
            examination.reasons.append(Reason(ReasonCode.UNREADABLE_SOURCE, where=where))
            return
        examination.reasons += [reason.within(where) for reason in doubts.certain]
        if where and (doubts.native_names or doubts.native_texts):
            examination.reasons.append(Reason(ReasonCode.NATIVE_READ, where=where))
        if where and (doubts.native_write_names or doubts.native_write_texts):
            examination.reasons.append(Reason(ReasonCode.NATIVE_WRITE, where=where))
        resolve = Resolver(doubts, None if own else self.world)
        for real in resolve.all_of(doubts.chains):
            examination.everything = examination.everything or real in _ANY_NAME
            reason = _reason_for(real)
            if reason is not None:
                examination.reasons.append(reason.within(where))
        for name in sorted(doubts.environment):
            value = os.environ.get(name)
            digest = ABSENT if value is None else xxhash.xxh3_128_hexdigest(value.encode("utf-8", "surrogateescape"))
            examination.ingredients[f"environment:{name}"] = (
                keyed(digest) if value is not None and holds(value) else digest
            )
        for path in sorted(doubts.looks):
            there = os.path.join(self._folder(), path)
            examination.ingredients[f"exists:{path}"] = (
                "folder" if os.path.isdir(there) else "file" if os.path.isfile(there) else ABSENT
            )
        if own:
            return
        for library, reasons in effects_of(doubts, self.world, resolve).items():
            examination.effects.setdefault(library, []).extend(reason.within(where) for reason in reasons)

    def _seeds(self) -> None:
        """A generator seeded with a variable that holds None draws fresh entropy."""
        for name in sorted(self.found.facts.doubts.seed_names):
            known = self.found.inputs.get(name)
            if known is None or known.digest == _none():
                self.found.reasons.append(Reason(ReasonCode.ENTROPY_SEED_IS_NONE, name))

    def _native_writes(self) -> None:
        """Files that native code writes must be plain to see too."""
        for name in sorted(self.found.facts.doubts.native_write_names):
            known = self.found.inputs.get(name)
            if known is None or not known.text:
                self.found.reasons.append(Reason(ReasonCode.COMPUTED_WRITE, name))
            else:
                self.found.writes.add(os.path.abspath(os.path.expanduser(known.text)))
        for text in self.found.facts.doubts.native_write_texts:
            self.found.writes.add(os.path.abspath(os.path.expanduser(text)))

    def _native_files(self) -> None:
        """Files that native code opens must be plain to see: named by a text in the cell or by a variable read."""
        doubts = self.found.facts.doubts
        texts = set(doubts.native_texts)
        for name in sorted(doubts.native_names):
            known = self.found.inputs.get(name)
            if known is not None and known.text:
                texts.add(known.text)
            else:
                self.found.reasons.append(Reason(ReasonCode.COMPUTED_READ, name))
        for text in sorted(texts):
            if not os.path.isfile(os.path.expanduser(text)):
                self.found.reasons.append(Reason(ReasonCode.NO_PLAIN_FILE, text))

    def _libraries(self) -> None:
        """The state of libraries that the step's result may depend on: by content where known, else by path."""
        examination = self.found
        packages = examination.packages | {
            item.dotted.partition(".")[0]
            for item in examination.inputs.values()
            if item.kind != "value" and item.dotted
        }
        examination.packages = packages - {"", "__main__"}
        for library, digest in sorted(self.world.effects.items()):
            if library == ANY_LIBRARY or library in examination.packages:
                examination.ingredients[f"effects:{library}"] = digest
        used = examination.packages - sys.stdlib_module_names - {name.partition(".")[0] for name in self._local}
        examination.ingredients["packages"] = environment.versions_digest(sorted(used - {"jupyter_mlops"}))
        for package in environment.changed_since_loaded(sorted(used)):
            examination.reasons.append(Reason(ReasonCode.EDITED_MODULE, package))
        relevant = relevant_libraries(examination.packages)
        if relevant is not None and any(_BY_LOCALE.search(text) for text in self._texts()):
            relevant.add("locale")
        state_of = self.world.libraries(None if examination.packages else relevant)
        examination.libraries = dict(state_of) if examination.packages else None
        for library, state in state_of.items():
            if relevant is not None and library not in relevant:
                continue
            if is_untold(state):
                examination.reasons.append(Reason(ReasonCode.UNTOLD_OPTIONS, library))
            examination.ingredients[f"library:{library}"] = state


def relevant_libraries(packages: set[str]) -> set[str] | None:
    """Libraries whose options matter to code that uses `packages`; None for all."""
    if not packages:
        return {"decimal"}
    relevant = set(_PROCESS_STATES)
    for package in packages:
        if package in sys.stdlib_module_names:
            continue
        if package not in _OPTIONS:
            return None
        relevant |= _OPTIONS[package]
    return relevant


def reads_everything(facts: CodeFacts, called: Iterable[ValueFacts | None] = ()) -> bool:
    """Whether code, or a function of the notebook among the values `called`, may reach any name of the namespace in
    ways the code's text does not show."""
    if facts.names.everything or facts.names.anything:
        return True
    for item in called:
        for source in () if item is None else item.sources:
            with contextlib.suppress(SyntaxError, ValueError):
                if EVERYTHING in source_facts(source).names.carries:
                    return True
    return False


_reason_for = lru_cache(maxsize=4096)(reason_for)


def _name_of(source: str) -> str:
    found = re.search(r"\b(?:def|class)\s+(\w+)", source)
    return found[1] if found else "a lambda"


@lru_cache(maxsize=1)
def _none() -> str:
    return Walker({}).fingerprint("", None).digest


def _imports_in(source: str) -> frozenset[str]:
    """What a function imports when it is called."""
    try:
        return source_facts(source).names.imports
    except (SyntaxError, ValueError):
        return frozenset()


def _imports_of(file: str) -> frozenset[str]:
    try:
        return source_facts(source_text(file)).names.imports
    except (OSError, SyntaxError, ValueError):
        return frozenset()
