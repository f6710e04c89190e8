"""What decided something among the tags of earlier builds has columns now."""

from __future__ import annotations

from jupyter_mlops.store.db.former_tags import former_tags


def test_what_people_see_stays_and_what_decides_moves() -> None:
    left, columns = former_tags(
        {
            "git.commit": "abc",
            "kernel_kind": "warm",
            "kernel": "python3",
            "stop": "as asked",
            "host": "elsewhere",
            "shared_process": "true",
            "asked_as": "nightly",
            "source_changed": "a.ipynb, b.py",
            "ended": "kernel gone",
            "mlops.tracking_uri": "http://mlflow:5000",
            "mlops.experiment": "ours",
        }
    )
    assert left == {"git.commit": "abc", "kernel_kind": "warm"}
    assert columns == {
        "kernel_name": "python3",
        "tracked_at": {"uri": "http://mlflow:5000", "experiment": "ours"},
        "asked_as": "nightly",
        "host": "elsewhere",
        "stop": "as asked",
        "changed_sources": ["a.ipynb", "b.py"],
        "in_shared_process": True,
        "kernel_gone": True,
    }


def test_where_nothing_was_said_nothing_is_said() -> None:
    left, columns = former_tags({"kernel_kind": "warm"})
    assert left == {"kernel_kind": "warm"}
    assert not any(columns.values())
