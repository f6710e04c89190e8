"""Tables as a notebook shows them."""

from __future__ import annotations

import pytest
from rich.console import Group

from jupyter_mlops.magics import line
from jupyter_mlops.verbs.framework.tables import table


def test_no_word_or_number_of_a_table_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("rich.jupyter.display", lambda _segments, text: shown.append(text))
    made = table("run>", "parameters", "metrics", "notebook")
    words = [f"{name}_of_which_the_name_is_rather_long=0.123456789" for name in ("rate", "depth", "seed", "auc")]
    made.add_row("#12345", " ".join(words[:3]), words[3], "studies/of/this/year/breast-cancer-classification.ipynb")
    line._display(Group("above", made))
    for word in ("#12345", *words, "studies/of/this/year/breast-cancer-classification.ipynb"):
        assert word in shown[0]
    assert " ".join(words[:3]) not in shown[0], "what has spaces goes on in the next line"
