"""No form of a secret gets through, in one piece or several; what is no secret stays as it is."""

from __future__ import annotations

import base64
import binascii
import html
import io
import itertools
import json
import reprlib
import urllib.parse
from collections.abc import Callable

import canary
import numpy
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.secrets.events import without_secrets
from jupyter_mlops.secrets.known import KNOWN
from jupyter_mlops.secrets.merged import MergedStreams, Piece
from jupyter_mlops.secrets.redaction import Patterns, Stream, redact_all
from jupyter_mlops.secrets.scan import Scan

TOKEN = canary.TOKEN
LONG = "".join(chr(33 + number * 7 % 90) for number in range(300))
PEM = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(f"{number:02}MIIEvQIBADANBgkqhkiG9w0B" for number in range(9)) + "\n"
secrets_of_any_kind = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=4, max_size=60)
FORMS: list[Callable[[str], str]] = [
    str,
    repr,
    lambda text: repr({"a": [text]}),
    lambda text: repr(f"it's {text}"),
    lambda text: repr(text.encode()),
    json.dumps,
    lambda text: json.dumps({"a": text}, ensure_ascii=False),
    lambda text: json.dumps({"a": json.dumps({"b": text})}),
    html.escape,
    urllib.parse.quote,
    urllib.parse.quote_plus,
    lambda text: urllib.parse.urlencode({"a": text}),
    lambda text: urllib.parse.quote(text, safe=""),
    lambda text: text.encode().hex(),
    lambda text: text.encode().hex().upper(),
    lambda text: text.encode().hex(":"),
    str.upper,
    str.lower,
    lambda text: base64.b32encode(text.encode()).decode(),
    lambda text: base64.b32encode(text.encode()).decode().rstrip("=").lower(),
    lambda text: base64.b85encode(text.encode()).decode(),
    lambda text: base64.a85encode(text.encode()).decode(),
]


@pytest.mark.slow
@pytest.mark.parametrize("form", range(len(FORMS)))
@settings(deadline=None)  # a busy machine takes its time for the patterns
@given(secret=secrets_of_any_kind)
def test_each_form_of_a_secret_becomes_its_name(form: int, secret: str) -> None:
    if secret.strip() != secret or secret in repr("<secret NAME>"):
        return
    shown = FORMS[form](secret)
    hidden = Patterns({"NAME": [secret]}).redact(f"before {shown} after")
    assert secret not in hidden
    assert "<secret NAME>" in hidden
    assert shown.replace(secret, "") == "" or shown not in hidden


@given(secret=st.text(min_size=6, max_size=60), before=st.binary(max_size=20), after=st.binary(max_size=20))
def test_base64_of_a_secret_among_other_bytes_leaves_nothing_of_it(secret: str, before: bytes, after: bytes) -> None:
    data = secret.encode("utf-8", "surrogatepass")
    if len(data) < 6:
        return
    patterns = Patterns({"NAME": [secret]})
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + data + after).decode()
        hidden = patterns.redact(text)
        assert "<secret NAME>" in hidden
        left = len(text) - len(hidden.replace("<secret NAME>", ""))
        assert left >= len(data) * 8 // 6 - 2


def test_base64_that_is_cut_into_lines_is_found() -> None:
    patterns = Patterns({"NAME": [LONG]})
    for text in (
        base64.encodebytes(LONG.encode()).decode(),
        repr(base64.encodebytes(LONG.encode()).decode()),
        base64.encodebytes(b"user:" + LONG.encode()).decode(),
        binascii.b2a_base64(LONG.encode()).decode(),
    ):
        hidden = patterns.redact(text)
        assert not any(len(piece) > 12 for piece in hidden.replace("<secret NAME>", " ").split())


def test_lines_of_a_secret_of_several_lines_are_found_one_by_one() -> None:
    patterns = Patterns({"KEY": [PEM]})
    lines = PEM.splitlines()
    assert patterns.redact(f"> {lines[4]} <") == "> <secret KEY> <"
    assert patterns.redact(repr(lines)).count("<secret KEY>") == len(lines) - 1
    assert patterns.redact(PEM) == "<secret KEY>"


def test_what_is_left_of_a_secret_where_a_text_was_cut_short_is_hidden() -> None:
    patterns = Patterns({"NAME": [LONG]})
    frame = pandas.DataFrame({"a": [LONG]}).to_string(max_colwidth=40)
    short = reprlib.Repr()
    short.maxstring = 60
    for text in (frame, short.repr(LONG), f"{LONG[:30]}…", f"{LONG[:50]!r}+250"):
        hidden = patterns.redact(text)
        assert "<secret NAME>" in hidden
        assert LONG[:8] not in hidden
        assert LONG[-8:] not in hidden


@given(
    pieces=st.lists(st.one_of(st.just(TOKEN), st.text(max_size=12), st.just(TOKEN[:9])), max_size=8),
    cuts=st.lists(st.integers(0, 200), max_size=12),
)
def test_a_stream_in_pieces_shows_what_it_shows_as_a_whole(pieces: list[str], cuts: list[int]) -> None:
    whole = "".join(pieces)
    patterns, stream = Patterns({"NAME": [TOKEN]}), Stream()
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    shown = "".join(stream.feed(patterns, whole[low:high]) for low, high in itertools.pairwise(places))
    assert shown + stream.end(patterns) == patterns.redact(whole)


def test_text_that_is_no_beginning_of_a_secret_is_shown_at_once() -> None:
    stream, patterns = Stream(), Patterns({"NAME": [TOKEN]})
    assert stream.feed(patterns, "epoch 1 of 10: 30 %") == "epoch 1 of 10: 30 %"
    assert stream.feed(patterns, "done kan") == "done "
    assert stream.feed(patterns, "garoo") == "kangaroo"


def test_the_longer_of_two_secrets_that_begin_alike_is_told_whole() -> None:
    patterns, stream = Patterns({"SHORT": ["abcdef"], "LONGER": ["abcdefghij"]}), Stream()
    assert patterns.redact("abcdefghij abcdef") == "<secret LONGER> <secret SHORT>"
    shown = [stream.feed(patterns, letter) for letter in "abcdefghij abcdefg "]
    assert "".join(shown) + stream.end(patterns) == "<secret LONGER> <secret SHORT>g "


def test_a_short_secret_is_hidden_only_as_a_word_of_its_own() -> None:
    patterns, stream = Patterns({"PIN": ["abc"]}), Stream()
    assert patterns.redact("abc, 'abc' abcd dabc x_abc") == "<secret PIN>, '<secret PIN>' abcd dabc x_abc"
    assert stream.feed(patterns, "ab") + stream.feed(patterns, "c") + stream.feed(patterns, "d abc") == "abcd "
    assert stream.end(patterns) == "<secret PIN>"


def test_a_value_of_four_characters_does_no_harm_to_encoded_images() -> None:
    patterns = Patterns({"NAME": ["data"]})
    picture = base64.b64encode(b"\x89PNG" + b"some data of a picture").decode()
    assert patterns.redact(picture) == picture
    assert patterns.redact("the data") == "the <secret NAME>"


def test_markup_shows_the_name_and_hides_no_tag() -> None:
    bundle = {"text/html": f"<b>{TOKEN}</b>", "text/plain": TOKEN, "application/json": {"a": [TOKEN, 1]}}
    hidden = redact_all(Patterns({"N": [TOKEN]}), {"data": bundle})["data"]
    assert hidden["text/html"] == "<b>&lt;secret N&gt;</b>"
    assert hidden["text/plain"] == "<secret N>"
    assert hidden["application/json"] == {"a": ["<secret N>", 1]}


def test_what_holds_no_secret_is_the_very_object() -> None:
    patterns, value = Patterns({"N": [TOKEN]}), {"a": ["text", 1, None, ("x",)], "b": {"c": 2.5}}
    assert redact_all(patterns, value) is value


def test_old_values_of_a_secret_are_hidden_too() -> None:
    KNOWN.add("TOKEN", "the first value")
    KNOWN.add("TOKEN", "the second value")
    assert KNOWN.patterns is not None
    assert KNOWN.patterns.redact("the first value, the second value") == "<secret TOKEN>, <secret TOKEN>"


@pytest.mark.parametrize(
    "value",
    [
        TOKEN.encode(),
        numpy.array([TOKEN]),
        numpy.frombuffer(TOKEN.encode(), "u1"),
        numpy.array([[TOKEN.encode()]], "S60"),
        b"x" * (9 << 20) + TOKEN.encode(),
    ],
)
def test_bytes_with_a_secret_are_found_whatever_holds_them(value: object) -> None:
    patterns = Patterns({"N": [TOKEN]})
    assert patterns.holds_bytes(value)
    scan = Scan(patterns)
    feed = scan.before(lambda data: None)
    for number in range(1000):
        feed(number.to_bytes(8, "little"))
    feed(value)
    assert scan.found()


@pytest.mark.parametrize("kind", ["c16", ">i4", "f2", "?", "i8"])
def test_numbers_of_any_kind_are_looked_through(kind: str) -> None:
    patterns = Patterns({"N": [TOKEN]})
    for shape in (0, 3, (200, 300)):
        assert not patterns.holds_bytes(numpy.zeros(shape, kind))
    assert not patterns.holds_bytes(io.BytesIO(b"abc").getbuffer())


def test_recorded_displays_hold_what_the_front_end_got() -> None:
    events = [
        {"type": "stream", "name": "stdout", "text": f"a {TOKEN[:5]}"},
        {"type": "stream", "name": "stderr", "text": "e"},
        {"type": "stream", "name": "stdout", "text": f"{TOKEN[5:]} b"},
        {"type": "display_data", "content": {"data": {"text/plain": TOKEN}}},
        {"type": "stream", "name": "stdout", "text": "the end k"},
    ]
    assert without_secrets(events) is events
    KNOWN.add("N", TOKEN)
    shown = without_secrets(events)
    text = "".join(event.get("text", "") for event in shown if event.get("name") == "stdout")
    assert text == "a <secret N> bthe end k"
    assert shown[3]["content"] == {"data": {"text/plain": "<secret N>"}}


def test_the_tests_own_search_finds_what_it_looks_for(tmp_path: canary.Path) -> None:
    import zlib

    (tmp_path / "a").write_bytes(zlib.compress(base64.b64encode(b"x" + TOKEN.encode() + b"yz")))
    (tmp_path / "b").write_text(urllib.parse.quote_plus(TOKEN), encoding="utf-8")
    (tmp_path / "c").write_text("kanari", encoding="utf-8")
    assert {line.split(":")[0].rpartition("/")[2] for line in canary.leaks(tmp_path)} == {"a (zlib)", "b"}


@given(
    st.text(alphabet="abcdefgh", min_size=8, max_size=14),
    st.lists(st.integers(1, 5), min_size=1, max_size=14),
    st.text(alphabet="xyz\n", max_size=4),
    st.text(alphabet="xyz\n", max_size=4),
)
def test_a_secret_that_streams_print_by_turns_is_hidden_and_all_else_is_shown(
    secret: str, sizes: list[int], before: str, after: str
) -> None:
    patterns, merged = Patterns({"N": [secret]}), MergedStreams()
    whole, shown, start = before + secret + after, [], 0
    for number, size in enumerate(itertools.cycle(sizes)):
        if start >= len(whole):
            break
        shown += merged.feed(patterns, Piece("12"[number % 2], whole[start : start + size]))
        start += size
    shown += merged.end(patterns)
    text = patterns.redact("".join(piece.text for piece in shown))
    assert text == before + "<secret N>" + after


def test_of_a_secret_that_a_display_breaks_in_two_neither_half_is_shown() -> None:
    patterns, merged = Patterns({"N": ["abcdefghijkl"]}), MergedStreams()
    assert merged.feed(patterns, Piece("1", "the abcdefghij")) == [Piece("1", "the ")]
    assert merged.end(patterns) == [Piece("1", "<secret N>")]
    assert merged.feed(patterns, Piece("2", "kl and more")) == [Piece("2", "<secret N> and more")]
    assert merged.feed(patterns, Piece("1", "x abc")) == [Piece("1", "x ")]
    assert merged.end(patterns) == [Piece("1", "abc")]
    assert merged.feed(patterns, Piece("1", "x")) == [Piece("1", "x")]


def test_the_same_holds_for_each_stream_alone_whatever_the_other_prints_between() -> None:
    patterns, stream = Patterns({"N": ["abcdefghijkl"]}), Stream()
    assert stream.feed(patterns, "the abcdefghij") == "the "
    assert stream.end(patterns) == "<secret N>"
    assert stream.feed(patterns, "kl and abc") == "<secret N> and "
    assert stream.end(patterns) == "abc"
    assert stream.feed(patterns, "def") == ""
    assert stream.feed(patterns, "x") == "defx"
