"""A log that no one reads is not written."""

from __future__ import annotations

import logging

from jupyter_mlops.execution.kernels.warm.lighter import quiet


def test_a_record_is_made_where_someone_is_told() -> None:
    logger = logging.getLogger("mlops-test-quiet")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    told: list[str] = []
    info = quiet(logger, logging.INFO)
    info("nobody hears %s", "this")

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(f"{record.getMessage()} {record.funcName}")

    logger.addHandler(Handler(logging.WARNING))
    info("nobody hears %s", "that")
    logger.addHandler(Handler(logging.DEBUG))
    info("heard: %s", 1)
    assert told == ["heard: 1 test_a_record_is_made_where_someone_is_told"]
