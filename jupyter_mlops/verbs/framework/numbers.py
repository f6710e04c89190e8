"""Whole numbers that options take: how many to show, and from which run on."""

from __future__ import annotations

import argparse

_DIGITS = 9


def count(text: str) -> int:
    """A whole number from 1 up; argparse names the option that has another."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text) > 0):
        raise argparse.ArgumentTypeError(f"'{text[:40]}' is not a whole number from 1 to {'9' * _DIGITS}")
    return int(text)
