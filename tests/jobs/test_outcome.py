"""How an execution ended, in words that a record, a terminal and a mail can hold."""

from __future__ import annotations

from jupyter_mlops.execution.notebook.outcome import raised


def test_of_an_exceptions_megabytes_the_beginning_is_told_and_how_many_there_are() -> None:
    error = raised(3, "ValueError", "x" * 10_000_000).error
    assert error is not None
    assert (len(error.message), len(error.evalue), error.cell_index) == (10_000, 10_000, 3)
    assert error.message.startswith("ValueError: xxx")
    assert error.message.endswith("… (10,000,012 characters)")
    assert error.evalue.endswith("… (10,000,000 characters)")


def test_a_message_of_usual_length_is_told_whole() -> None:
    error = raised(0, "KeyError", "'a'").error
    assert error is not None
    assert (error.message, error.evalue) == ("KeyError: 'a'", "'a'")
