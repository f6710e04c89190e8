"""Small notebooks whose cached result goes stale in ways that names and source do not show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Trap:
    """A notebook run twice, with something changed in between; its last line prints the answer.

    `work` is the cell whose result a cache keeps, as a function of `reads` that gives `makes` where the cache is one
    of functions. `edits` are new sources by cell; `files` are there before the first run, `files_later` before the
    second (None: it is gone); `rate` and `rate_later` are the environment variable RATE.
    """

    name: str
    cells: tuple[str, ...]
    work: int
    makes: tuple[str, ...]
    reads: tuple[str, ...] = ()
    edits: Mapping[int, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    files_later: Mapping[str, str | None] = field(default_factory=dict)
    rate: str = "2"
    rate_later: str = "2"
    moves: bool = False
    """Whether the right answer is any but the first one."""

    @property
    def cells_later(self) -> tuple[str, ...]:
        """The cells of the second run."""
        return tuple(self.edits.get(index, cell) for index, cell in enumerate(self.cells))


TRAPS = (
    Trap(
        "changed in place elsewhere",
        ("d = {'x': 5}", "d['x'] = 6", "y = d['x'] * 10", "print(y)"),
        work=2,
        reads=("d",),
        makes=("y",),
        edits={1: "d['x'] = 7"},
    ),
    Trap(
        "two names for one list",
        ("a = [1]\nb = a", "a.append(2)", "print(len(b))"),
        work=0,
        makes=("a", "b"),
        edits={1: "a.append(2)\na.append(3)"},
    ),
    Trap(
        "view of a numpy array",
        ("import numpy as np", "base = np.zeros(4)\nview = base[1:3]", "base[1] = 5", "print(view.sum())"),
        work=1,
        makes=("base", "view"),
        edits={2: "base[1] = 6"},
    ),
    Trap(
        "attribute of a class set",
        (
            "class C:\n    k = 1\n    def f(self):\n        return self.k\nc = C()",
            "C.k = 2",
            "y = c.f() * 10",
            "print(y)",
        ),
        work=2,
        reads=("c",),
        makes=("y",),
        edits={1: "C.k = 3"},
    ),
    Trap(
        "default argument grows",
        (
            "def f(x, seen=[]):\n    seen.append(x)\n    return len(seen)",
            "f(1)",
            "y = f(9) * 10",
            "print(y)",
        ),
        work=2,
        makes=("y",),
        edits={1: "f(1)\nf(2)"},
    ),
    Trap(
        "global a function reads",
        ("scale = 2", "def f(x):\n    return x * scale", "y = f(10)", "print(y)"),
        work=2,
        makes=("y",),
        edits={0: "scale = 3"},
    ),
    Trap(
        "generator advanced",
        ("g = (i * i for i in range(100))", "next(g)", "y = next(g)", "print(y)"),
        work=2,
        reads=("g",),
        makes=("y",),
        edits={1: "next(g)\nnext(g)"},
    ),
    Trap(
        "loop variable used again",
        ("x = 1", "for x in range(3):\n    pass", "y = x * 10", "print(y)"),
        work=2,
        reads=("x",),
        makes=("y",),
        edits={1: "for x in range(4):\n    pass"},
    ),
    Trap(
        "helper module edited",
        ("import helper", "y = helper.f(3)", "print(y)"),
        work=1,
        makes=("y",),
        files={"helper.py": "def f(x):\n    return x * 10\n"},
        files_later={"helper.py": "def f(x):\n    return x * 100  # more\n"},
    ),
    Trap(
        "attribute of a module set",
        ("import helper", "helper.rate = 2", "y = helper.f(3)", "print(y)"),
        work=2,
        makes=("y",),
        edits={1: "helper.rate = 3"},
        files={"helper.py": "rate = 1\ndef f(x):\n    return x * rate\n"},
    ),
    Trap(
        "file changed",
        ("name = 'data.txt'", "with open(name) as f:\n    y = sum(int(line) for line in f)", "print(y)"),
        work=1,
        reads=("name",),
        makes=("y",),
        files={"data.txt": "1\n2\n"},
        files_later={"data.txt": "1\n200\n"},
    ),
    Trap(
        "file written, then gone",
        (
            "total = 3",
            "with open('out.txt', 'w') as f:\n    done = f.write(str(total))",
            "with open('out.txt') as g:\n    text = g.read()\nprint(text)",
        ),
        work=1,
        reads=("total",),
        makes=("done",),
        edits={2: "with open('out.txt') as g:\n    text = g.read()\nprint('it says ' + text)"},
        files_later={"out.txt": None},
    ),
    Trap(
        "environment variable",
        ("import os", "y = int(os.environ['RATE']) * 10", "print(y)"),
        work=1,
        makes=("y",),
        rate_later="3",
    ),
    Trap(
        "print option of a library",
        ("import numpy as np", "np.set_printoptions(precision=3)", "y = str(np.array([2 / 3]))[1:-1]", "print(y)"),
        work=2,
        makes=("y",),
        edits={1: "np.set_printoptions(precision=5)"},
    ),
    Trap(
        "seed in another cell",
        ("import numpy as np", "np.random.seed(1)", "y = np.random.rand()", "print(y)"),
        work=2,
        makes=("y",),
        edits={1: "np.random.seed(2)"},
    ),
    Trap(
        "clock read",
        ("import time", "y = time.time()", "print(y)"),
        work=1,
        makes=("y",),
        moves=True,
    ),
)
