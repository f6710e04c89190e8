"""`deps`: what a step takes from where, and who takes up what it makes: by the code, and as seen while it ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_mlops.analysis.code.facts import CodeFacts, cell_facts
from jupyter_mlops.analysis.pipeline.cells import StepCell, all_steps_of, match_step
from jupyter_mlops.analysis.pipeline.links import IMPORTS, StepGraph, edges
from jupyter_mlops.domain.cell import Cell
from jupyter_mlops.domain.step import StepInput, StepRun
from jupyter_mlops.domain.step_spec import cell_label
from jupyter_mlops.operations.steps.plan import working

if TYPE_CHECKING:
    from jupyter_mlops.store.store import Store

SEEN = "seen while it ran, not in the code"
UNSEEN = "in the code, not seen when it last ran"


@dataclass(frozen=True)
class Use:
    """That step `target` reads `name`, which `source` makes ("" where no step above is known to).

    `digest` is the value's in the newest run of `target`, "" where it was not seen; `note` tells where code and record
    disagree.
    """

    name: str
    source: str
    target: str
    digest: str = ""
    note: str = ""


@dataclass(frozen=True)
class Dependencies:
    """All that is known to matter to a step, and who reads it. `run` is its newest one that succeeded, None before."""

    step: str
    reads: tuple[Use, ...]
    readers: tuple[Use, ...]
    run: StepRun | None = None
    edited: bool = False
    """Whether the code is another than that of `run`."""
    files: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    random: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """The steps of a notebook (unnamed ones too), their facts, the newest run of each that succeeded, and all uses."""

    steps: tuple[StepCell, ...]
    facts: Mapping[str, CodeFacts] = field(default_factory=dict)
    runs: Mapping[str, StepRun] = field(default_factory=dict)
    uses: tuple[Use, ...] = ()
    imports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Step → the modules it imports, and those that other steps imported for it."""


def dependencies(store: Store | None, notebook: str, cells: Sequence[Cell], name: str) -> Dependencies:
    """The dependencies of one step. Raises `UnknownNameError` where the notebook has none of this name."""
    pipeline = read_pipeline(store, notebook, cells)
    name = match_step(name, [step.spec.name for step in pipeline.steps])
    facts, run = pipeline.facts.get(name), pipeline.runs.get(name)
    parts = dict(run.ingredients) if run else {}
    conditions = run.conditions if run else None
    environment = set(facts.doubts.environment if facts else ()) | set(_named(parts, "environment:"))
    written = {*run.files, *run.effects.get("written", ())} if run else set()
    files = set(_named(parts, "file:")) | set(conditions.files if conditions else ())
    step = next(step for step in pipeline.steps if step.spec.name == name)
    return Dependencies(
        name,
        reads=tuple(use for use in pipeline.uses if use.target == name),
        readers=tuple(use for use in pipeline.uses if use.source == name),
        run=run,
        edited=run is not None and facts is not None and run.version_digest != facts.digest,
        files=tuple(sorted(files | set(step.spec.reads))),
        written=tuple(sorted({*written, *step.spec.writes})),
        imports=pipeline.imports[name],
        modules=_named(parts, "module:"),
        libraries=_named(parts, "library:"),
        effects=_effects(run.effects) if run else (),
        environment=tuple(sorted(environment)),
        random=tuple(sorted(conditions.random_before)) if conditions else (),
    )


def read_pipeline(store: Store | None, notebook: str, cells: Sequence[Cell]) -> Pipeline:
    """The notebook's steps with what code and record say of who reads what from whom; imported modules are no uses."""
    steps, _ = all_steps_of(working(cells))
    names = {step.spec.name for step in steps}
    facts = {step.spec.name: each for step in steps if (each := facts_of(step)) is not None}
    runs = {} if store is None else _newest(store, notebook, names, facts)
    aliases = {alias for each in facts.values() for alias, _ in each.doubts.aliases}
    uses: list[Use] = []
    planned = edges(steps)
    for place, step in enumerate(steps):
        uses += _uses_of(step.spec.name, makers_of(planned, place), runs, facts, aliases)
    return Pipeline(steps, facts, runs, tuple(uses), _imports(planned, facts))


def _imports(planned: StepGraph, facts: Mapping[str, CodeFacts]) -> dict[str, tuple[str, ...]]:
    found = {step.name: set(facts[step.name].names.imports if step.name in facts else ()) for step in planned.steps}
    for edge in planned.edges:
        if edge.kind == IMPORTS:
            found[planned.steps[edge.target].name].add(f"{edge.name}  from {planned.steps[edge.source].name}")
    return {name: tuple(sorted(texts)) for name, texts in found.items()}


def _newest(store: Store, notebook: str, names: Iterable[str], facts: Mapping[str, CodeFacts]) -> dict[str, StepRun]:
    """The newest run of each step that succeeded: of the code as it is now, else of any."""
    names = list(names)
    last = store.steps.last(notebook, names)
    runs = {name: run for name, run in last.items() if run.status.succeeded}
    runs |= store.steps.completed(notebook, names)
    for name, found in store.steps.newest(notebook, {each.digest for each in facts.values()}).items():
        same = [run for run in found if name in facts and run.version_digest == facts[name].digest]
        if same:
            runs[name] = same[0]
    return {name: runs[name] for name in names if name in runs}


def makers_of(planned: StepGraph, place: int) -> dict[str, tuple[str, ...]]:
    """What the step at `place` may read → the steps that may have made or changed it last; imported modules left out."""
    found: dict[str, dict[str, None]] = {}
    for edge in planned.edges:
        if edge.target == place and edge.kind != IMPORTS:
            found.setdefault(edge.name, {})[planned.steps[edge.source].name] = None
    return {name: tuple(makers) for name, makers in sorted(found.items())}


def facts_of(step: StepCell) -> CodeFacts | None:
    """The facts of a step's code; None where it is no Python."""
    try:
        return cell_facts(step.code)
    except SyntaxError:
        return None


def _uses_of(
    target: str,
    static: Mapping[str, tuple[str, ...]],
    runs: Mapping[str, StepRun],
    facts: Mapping[str, CodeFacts],
    aliases: Iterable[str],
) -> list[Use]:
    """The united uses of one step; a record of other code than the step's is not asked."""
    run = runs.get(target)
    seen: Mapping[str, StepInput] = {}
    if run is not None and target in facts and run.version_digest == facts[target].digest:
        seen = run.inputs
    labels = {cell_label(each.digest): name for name, each in facts.items()}
    uses: list[Use] = []
    for name in sorted({*static, *seen}.difference(aliases)):
        makers, input_ = static.get(name, ()), seen.get(name)
        if input_ is None:
            uses += [Use(name, maker, target, note=UNSEEN if seen else "") for maker in makers]
            continue
        maker = labels.get(input_.producer, input_.producer)
        if maker not in facts and makers:
            maker = makers[-1]  # a cell that is not a step of the notebook, such as the one that injects parameters
        uses += [Use(name, other, target, note="" if maker in makers else UNSEEN) for other in makers if other != maker]
        uses.append(Use(name, maker, target, input_.digest, "" if maker in makers else SEEN))
    return uses


def _effects(effects: Mapping[str, Any]) -> tuple[str, ...]:
    """What a step did besides binding names, in words."""
    words = {"deleted": "deletes", "libraries": "sets options of", "random": "moves the generator of"}
    return tuple(f"{word} {name}" for key, word in words.items() for name in sorted(effects.get(key, ())))


def _named(parts: Mapping[str, str], prefix: str) -> tuple[str, ...]:
    return tuple(sorted(name.removeprefix(prefix) for name in parts if name.startswith(prefix)))
