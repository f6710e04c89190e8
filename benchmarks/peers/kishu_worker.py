"""Run by the peers' own Python: a notebook's cells under Kishu, then a check-out in a new kernel and the cells after it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import KernelManager


class Kernel:
    """A kernel, with Kishu attached to a notebook file where `attached`."""

    def __init__(self, notebook: Path, *, attached: bool = True) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.connection_file = str(notebook.parent / f"kernel-{uuid.uuid4()}.json")  # where Kishu looks
        self.manager.start_kernel(cwd=str(notebook.parent), stderr=subprocess.DEVNULL)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        if attached:
            self.run(f"from kishu import init_kishu; init_kishu({str(notebook)!r})")

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()

    def run(self, code: str) -> tuple[str, float]:
        """The text a cell prints, and how long it took from request to idle. Raises where it raises."""
        texts: list[str] = []

        def keep(message: Any) -> None:
            if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
                texts.append(message["content"]["text"])

        began = time.perf_counter()
        reply = self.client.execute_interactive(code, output_hook=keep, timeout=600)["content"]
        took = time.perf_counter() - began
        if reply["status"] != "ok":
            raise RuntimeError(f"{reply['ename']}: {reply['evalue']}")
        return "".join(texts), took

    def head(self) -> str:
        """The newest commit."""
        return self.run(HEAD)[0].split()[-1]

    def check_out(self, commit: str) -> float:
        """Bring a commit's variables back; gives the seconds."""
        return self.run(CHECK_OUT.format(commit))[1]


_INSTRUMENT = "import kishu.jupyterint as _k; _i = get_ipython().user_ns[_k.KISHU_INSTRUMENT]"
HEAD = f"{_INSTRUMENT}; print(_i._kishu_graph.head())"
CHECK_OUT = f"{_INSTRUMENT}; _i.checkout({{!r}}, skip_notebook=True); None"


def main() -> None:
    """`FOLDER JSON`: a trap ("before", "after", "first": the first cell that is run again) or the workloads ("slow", ...)."""
    folder, told = Path(sys.argv[1]), json.loads(sys.argv[2])
    notebook = folder / "notebook.ipynb"
    cells = [nbformat.v4.new_code_cell(cell) for cell in told.get("before", ())]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), notebook)
    print(json.dumps(_trap(notebook, told) if "before" in told else _workloads(notebook, told)))


def _trap(notebook: Path, told: dict[str, Any]) -> dict[str, Any]:
    with Kernel(notebook) as kernel:
        commits = []
        for cell in told["before"]:
            kernel.run(cell)
            commits.append(kernel.head())
    answer = ""
    with Kernel(notebook) as kernel:
        kernel.check_out(commits[told["first"] - 1])
        for cell in told["after"][told["first"] :]:
            answer, _ = kernel.run(cell)
    return {"answer": answer}


def _workloads(notebook: Path, told: dict[str, Any]) -> dict[str, float]:
    figures = {}
    with Kernel(notebook, attached=False) as plain, Kernel(notebook) as kernel:
        for each in (plain, kernel):
            each.run(told["imports"])
        figures["trivial"] = _added(plain, kernel, told["cells"], told["trivial"])
        kernel.run(told["slow"])
        commit = kernel.head()
        for name, making, reading in told["reads"]:
            for each in (plain, kernel):
                each.run(making)
            figures[name] = _added(plain, kernel, told["rounds"], reading)
    with Kernel(notebook) as kernel:
        kernel.run(told["imports"])
        figures["again"] = kernel.check_out(commit) + kernel.run("first = frame.iloc[0, 0]")[1]
    return figures


def _added(plain: Kernel, kernel: Kernel, rounds: int, code: str) -> float:
    added = []
    for number in range(rounds):
        times = []
        for each in (plain, kernel):
            each.run(f"n = {number}")
            times.append(each.run(code)[1])
        added.append(times[1] - times[0])
    return sorted(added)[len(added) // 2]


if __name__ == "__main__":
    main()
