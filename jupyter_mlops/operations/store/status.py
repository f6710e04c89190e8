"""How large a project's store is, and what in it takes the room."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from jupyter_mlops.domain.storage import StepSize, StoreStatus
from jupyter_mlops.operations.store.references import Closures
from jupyter_mlops.store.backup.mark import BACKUPS
from jupyter_mlops.store.db import schema
from jupyter_mlops.store.store import Store
from jupyter_mlops.store.tables.holdings import Holding, counts, holdings, posted, run_holdings


def store_status(store: Store) -> StoreStatus:
    """Measure everything under `.mlops/`."""
    with store.index.read() as connection:
        held, of_runs, waiting = holdings(connection), run_holdings(connection), posted(connection)
        numbers = counts(connection)
    sizes = object_sizes(store)
    closures = Closures(store)
    kind: dict[str, str] = {}
    for name, objects in (
        ("displays", {each.display for each in held if each.display}),
        ("files", {item for each in held for item in (*each.files, *each.mentioned)}),
        ("values", closures.of_all(held)),
        ("notebooks", {name for each in of_runs for name in (each.notebook_object, *each.modules)}),
        ("environments", {each.environment for each in of_runs}),
        ("models", waiting),
    ):
        kind |= {item: name for item in objects if item in sizes and item not in kind}
    kinds = Counter({"values": 0, "displays": 0, "unreferenced": 0})
    for item, size in sizes.items():
        kinds[kind.get(item, "unreferenced")] += size
    kinds.update(_besides(store, sum(sizes.values())))
    kinds["index"] += 0 if store.place.index is None else store.index.size()
    return StoreStatus(
        folder=store.folder,
        index=store.index.place,
        objects_at=store.place.objects or str(store.objects.folder),
        schema=schema.HEAD,
        total=sum(kinds.values()),
        objects=len(sizes),
        kinds=dict(kinds),
        steps=_by_step(held, closures, sizes),
        **numbers,
    )


def object_sizes(store: Store) -> dict[str, int]:
    """Every object with its size in bytes."""
    return {name: size for name, (size, _) in store.objects.listing().items()}


def folder_size(path: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    total = 0
    for each in path.rglob("*") if path.is_dir() else [path]:
        try:
            status = each.lstat()
        except OSError:
            continue
        total += status.st_size if not each.is_dir() else 0
    return total


def _besides(store: Store, in_objects: int) -> dict[str, int]:
    """What else lies in the folder. Signatures count as other."""
    sizes: Counter[str] = Counter()
    for entry in store.folder.iterdir():
        if entry.name == "objects":
            continue
        name = "other"
        if entry.name.startswith("index.db"):
            name = "index"
        elif entry.name.startswith(("mlflow", "mlartifacts", "mlruns")):
            name = "tracking"
        elif entry.name == BACKUPS or entry.name.startswith("logbook"):
            name = "backups"
        elif entry.name == "damaged":
            name = "damaged"
        sizes[name] += folder_size(entry)
    unfinished = sum(folder_size(path) for path in store.objects.leftovers())
    sizes["unfinished"] = unfinished
    here = folder_size(store.objects.folder) - unfinished
    if store.place.objects is None:
        sizes["other"] += max(0, here - in_objects)
    else:
        sizes["copies"] = here
    return dict(sizes)


def _by_step(held: list[Holding], closures: Closures, sizes: dict[str, int]) -> tuple[StepSize, ...]:
    needed: dict[tuple[str, str], frozenset[str]] = defaultdict(frozenset)
    results: Counter[tuple[str, str]] = Counter()
    newest = {}
    for each in held:
        step = (each.notebook, each.step)
        objects = closures.of(each)
        if objects:
            needed[step] |= objects
        results[step] += each.result is not None
        newest[step] = each.at
    users = Counter(name for objects in needed.values() for name in objects)
    step_sizes = []
    for step, objects in needed.items():
        own = sum(sizes.get(name, 0) for name in objects if users[name] == 1)
        shared = sum(sizes.get(name, 0) for name in objects if users[name] > 1)
        step_sizes.append(StepSize(*step, results[step], own, shared, newest[step]))
    return tuple(sorted(step_sizes, key=lambda step: (-step.own - step.shared, step.notebook, step.step)))
