"""A step's key: a hash over everything its result can depend on, each part kept by name so that `why` can tell.

What cannot be told is a reason not to reuse. Nothing here runs user code but the reductions of values.
"""

from __future__ import annotations

import builtins
import inspect
import os
import re
import textwrap
import types
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import xxhash

from jupyter_mlops.analysis.code import CodeFacts, source_facts
from jupyter_mlops.analysis.doubts import SHELL_NAMES, Doubts, configures, reason_for
from jupyter_mlops.capture import environment, libraries
from jupyter_mlops.capture.digest import ALGORITHM, Fingerprint, Undigestible, Walker
from jupyter_mlops.capture.modules import LocalModules, module_doubts
from jupyter_mlops.capture.watch import is_library_file
from jupyter_mlops.store.digests import named_files

ABSENT = "absent"
_TRANSPARENT_MAGICS = {"matplotlib", "load_ext", "mlops", "time", "timeit", "capture", "pinfo", "pinfo2", "who", "whos"}
"""Magics that change nothing a later step could depend on, but what the fingerprints show."""
_NUMBERED = re.compile(r"_i?\d+\Z")


@dataclass
class Examination:
    """All that is known before a step runs.

    `ingredients` are the parts of the key; `reasons` why its result could not be reused whatever the key; `effects` are
    those among them that change state no one can hash, so that later steps depend on this cell having run.
    """

    facts: CodeFacts
    walker: Walker
    ingredients: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Fingerprint] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The key as text; it names its algorithm."""
        text = "\n".join(f"{name}\0{value}" for name, value in sorted(self.ingredients.items()))
        return f"{ALGORITHM}:{xxhash.xxh3_128_hexdigest(text.encode('utf-8', 'surrogatepass'))}"


def effects_of(facts: CodeFacts, namespace: dict[str, Any]) -> list[str]:
    """Why running this code may change library state that no fingerprint shows."""
    found = []
    resolve = _Resolver(facts.doubts, namespace)
    for chain in sorted(facts.doubts.stores):
        if resolve.owner_is_shared(chain):
            found.append(f"sets an attribute of {resolve(chain)}")
    for chain in sorted(facts.doubts.chains | facts.doubts.calls):
        real = resolve(chain)
        if real is not None and configures(real, bare=chain in facts.doubts.calls):
            found.append(f"may configure a library ({real})")
    for text in facts.doubts.certain:
        if text.startswith(("sets attributes", "runs code made")):
            found.append(text)
    return found + [f"runs the magic %{name}" for name in sorted(facts.doubts.magics - _TRANSPARENT_MAGICS)]


def examine(
    facts: CodeFacts, namespace: dict[str, Any], modules: LocalModules, *, path: str, display_mode: str
) -> Examination:
    """Examine a step about to run. `path` digests the effects of cells before it; `display_mode` is the shell's."""
    found = Examination(facts, Walker(namespace))
    found.ingredients.update(
        {
            "code": facts.digest,
            "python": environment.python_minor(),
            "packages": environment.packages_digest(),
            "effects": path,
            "display": display_mode,
        }
    )
    _inputs(found, namespace)
    names = set(facts.names.imports).union(*(item.modules for item in found.inputs.values()))
    closure = modules.closure(names)
    digests, doubts = modules.ingredients(closure, found.walker)
    found.ingredients |= {f"module:{name}": digest for name, digest in digests.items()}
    found.reasons += doubts
    for file in closure.values():
        _weigh(found, module_doubts(file), {}, f" in {os.path.basename(file)}")
    _weigh(found, facts.doubts, namespace, "")
    _native_readers(found, namespace)
    _followed(found)
    found.effects += effects_of(facts, namespace)
    found.reasons += found.effects
    _libraries(found)
    texts = set(facts.names.strings) | {
        str(namespace[name]) for name in found.inputs if isinstance(namespace[name], (str, PurePath))
    }
    found.ingredients |= {f"file:{name}": digest for name, digest in named_files(texts).items()}
    return found


def _inputs(found: Examination, namespace: dict[str, Any]) -> None:
    for name in sorted(found.facts.names.reads):
        if name in SHELL_NAMES or _NUMBERED.match(name):
            found.reasons.append(f"reads the shell's history ({name})")
        elif name not in namespace:
            if name not in vars(builtins):
                found.ingredients[f"input:{name}"] = ABSENT
        elif not _is_shell_function(namespace[name]):
            try:
                found.inputs[name] = found.walker.fingerprint(name, namespace[name])
                found.ingredients[f"input:{name}"] = found.inputs[name].digest
            except Undigestible as error:
                found.reasons.append(f"reads '{error.path}', whose content cannot be told ({error.what})")


def _is_shell_function(value: Any) -> bool:
    """Whether this is one of the names IPython itself puts into the namespace, such as `display` or `exit`."""
    module = getattr(value, "__module__", None) or type(value).__module__
    return module.startswith("IPython.core") and not isinstance(value, types.ModuleType)


def _native_readers(found: Examination, namespace: dict[str, Any]) -> None:
    """Files that native code opens must be plain to see: named by a text in the cell or by a variable read."""
    doubts = found.facts.doubts
    texts = set(doubts.native_texts)
    for name in sorted(doubts.native_names):
        value = namespace.get(name) if name in found.inputs else None
        if isinstance(value, (str, PurePath)):
            texts.add(str(value))
        else:
            found.reasons.append(f"reads a file whose name is computed ({name})")
    for text in sorted(texts):
        if not os.path.isfile(os.path.expanduser(text)):
            found.reasons.append(f"reads what is no plain file ({text})")


def _libraries(found: Examination) -> None:
    for name, state in libraries.library_state().items():
        if state.startswith("unknown"):
            found.reasons.append(f"cannot tell the options of {name}")
        found.ingredients[f"library:{name}"] = state
    if libraries.open_figures():
        found.reasons.append("starts with an open figure")


def _followed(found: Examination) -> None:
    """Functions of the notebook that the step may call: their doubts are the step's."""
    seen = set()
    for function in [item for value in found.inputs.values() for item in value.functions]:
        if function.__code__ in seen:
            continue
        seen.add(function.__code__)
        if is_library_file(function.__code__.co_filename):
            continue
        try:
            facts = source_facts(textwrap.dedent(inspect.getsource(function)))
        except (OSError, TypeError, SyntaxError, ValueError):
            found.reasons.append(f"calls '{function.__name__}', whose source is not known")
            continue
        _weigh(found, facts.doubts, function.__globals__, f" in {function.__name__}")
        found.effects += effects_of(facts, function.__globals__)
        for text in facts.names.strings:
            found.ingredients |= {f"file:{name}": digest for name, digest in named_files({text}).items()}


def _weigh(found: Examination, doubts: Doubts | None, namespace: dict[str, Any], where: str) -> None:
    if doubts is None:
        found.reasons.append(f"uses source that cannot be read{where}")
        return
    found.reasons += [text + where for text in doubts.certain]
    if where and (doubts.native_names or doubts.native_texts):
        found.reasons.append(f"may read files natively{where}")
    resolve = _Resolver(doubts, namespace)
    for chain in sorted(doubts.chains):
        real = resolve(chain)
        reason = reason_for(real) if real is not None else None
        if reason is not None:
            found.reasons.append(reason + where)
    for name in sorted(doubts.environment):
        value = os.environ.get(name)
        digest = ABSENT if value is None else xxhash.xxh3_128_hexdigest(value.encode("utf-8", "surrogateescape"))
        found.ingredients[f"environment:{name}"] = digest


class _Resolver:
    """Chains as written (`np.random.rand`) to what they are (`numpy.random.rand`); None where the root is a value."""

    def __init__(self, doubts: Doubts, namespace: dict[str, Any]) -> None:
        self._aliases = dict(doubts.aliases)
        self._namespace = namespace

    def __call__(self, chain: str) -> str | None:
        root, _, rest = chain.partition(".")
        real = self._aliases.get(root)
        if real is None and root in self._namespace:
            real = _dotted(self._namespace[root])
        if real is None:
            return None
        return f"{real}.{rest}" if rest else real

    def owner_is_shared(self, chain: str) -> bool:
        """Whether what `chain` assigns into is a module, class or function: state that is no name's value."""
        root = chain.partition(".")[0]
        if root in self._aliases:
            return True
        value = self._namespace.get(root)
        return isinstance(value, (types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType))


def _dotted(value: Any) -> str | None:
    if isinstance(value, types.ModuleType):
        return value.__name__
    if isinstance(value, types.MethodType):
        value = value.__func__
    owner = getattr(value, "__self__", None)
    if isinstance(value, types.BuiltinFunctionType) and isinstance(owner, type):
        return f"{owner.__module__}.{value.__qualname__}"
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        module = getattr(value, "__module__", None)
        return None if module in (None, "__main__") else f"{module}.{value.__qualname__}"
    return None
