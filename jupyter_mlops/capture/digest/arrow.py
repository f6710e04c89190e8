"""How the walker tells arrow arrays, tables and schemas, and polars frames: by content, whatever chunks and offsets are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from jupyter_mlops.capture.digest.walk import Handler, ValueWalk, module_of


def resolve(kind: type) -> Handler | None:
    """The handler of a type of arrow or polars; None for any other."""
    arrow = sys.modules.get("pyarrow")
    if arrow is not None and module_of(kind).startswith("pyarrow"):
        for names, handler in (
            (("Array", "ChunkedArray"), array),
            (("Table", "RecordBatch"), _table),
            (("Schema",), _schema),
            (("Field",), _field),
            (("DataType",), _data_type),
        ):
            if issubclass(kind, tuple(getattr(arrow, name) for name in names)):
                return handler
    polars = sys.modules.get("polars")
    if polars is not None and module_of(kind).startswith("polars"):
        if issubclass(kind, polars.DataFrame):
            return _polars_frame
        if issubclass(kind, polars.Series):
            return _polars_series
    return None


def _data_type(walk: ValueWalk, value: object) -> None:
    import pyarrow as arrow

    _schema(walk, arrow.schema([("type", value)]))


def _field(walk: ValueWalk, value: object) -> None:
    import pyarrow as arrow

    _schema(walk, arrow.schema([value]))


def _schema(walk: ValueWalk, value: Any) -> None:
    walk.tag("arrow schema", value.serialize().to_pybytes())


def _table(walk: ValueWalk, value: Any) -> None:
    walk.tag("arrow table", type(value).__name__, str(value.num_rows))
    _schema(walk, value.schema)
    for column in value.columns:
        array(walk, column)


def array(walk: ValueWalk, value: Any) -> None:
    """An arrow array or chunked array. It is never written through arrow, so only arrays share its memory."""
    chunks = value.chunks if hasattr(value, "chunks") else [value]
    for chunk in chunks:
        walk.frame_extents += [(item.address, item.address + item.size) for item in chunk.buffers() if item is not None]
    walk.tag("arrow", "chunks" if hasattr(value, "chunks") else "array")
    _data_type(walk, value.type)
    _content(walk, value.type, chunks)


def _content(walk: ValueWalk, kind: object, chunks: Sequence[Any]) -> None:
    import pyarrow as arrow

    walk.check_time()
    walk.update(b"\0rows" + sum(map(len, chunks)).to_bytes(8, "little"))
    if sum(chunk.null_count for chunk in chunks) and not arrow.types.is_null(kind):
        walk.update(b"\0null")
        for chunk in chunks:
            walk.update(_numbers(chunk.is_valid().cast("uint8")))
    for test, content in _CONTENTS:
        if getattr(arrow.types, test)(kind):
            content(walk, kind, chunks)
            return
    _streamed(walk, kind, chunks)


def _numbers(array: Any) -> Any:
    import numpy

    if not len(array):
        return b""
    width = array.type.bit_width // 8
    start = array.offset * width
    return numpy.frombuffer(array.buffers()[1], "u1")[start : start + len(array) * width]


def _nothing(walk: ValueWalk, kind: object, chunks: Sequence[Any]) -> None:
    """Nulls have a length only."""


def _booleans(walk: ValueWalk, kind: object, chunks: Sequence[Any]) -> None:
    for chunk in chunks:
        walk.update(_numbers((chunk.fill_null(False) if chunk.null_count else chunk).cast("uint8")))


def _fixed(walk: ValueWalk, kind: Any, chunks: Sequence[Any]) -> None:
    """Numbers and times; what stands where a value is missing does not count."""
    import numpy

    width = kind.bit_width // 8
    for chunk in chunks:
        data = _numbers(chunk)
        if chunk.null_count and width:
            data = numpy.asarray(data).reshape(-1, width).copy()
            data[_numbers(chunk.is_valid().cast("uint8")) == 0] = 0
        walk.update(memoryview(data).cast("B") if len(data) else b"")


def _texts(walk: ValueWalk, kind: object, chunks: Sequence[Any]) -> None:
    """Text and bytes: all lengths, then all content."""
    import numpy

    contents = []
    for chunk in chunks:
        if not len(chunk):
            continue
        lengths, data = _text_parts(chunk)
        if chunk.null_count and lengths[_numbers(chunk.is_valid().cast("uint8")) == 0].any():
            lengths, data = _text_parts(chunk.fill_null(b"" if "binary" in str(kind) else ""))
        walk.update(numpy.ascontiguousarray(lengths, "<i8"))
        contents.append(data)
    for data in contents:
        walk.update(data)


def _text_parts(chunk: Any) -> tuple[Any, Any]:
    import numpy

    _, offsets, data = chunk.buffers()
    wide = str(chunk.type).startswith("large_")
    ends = numpy.frombuffer(offsets, "<i8" if wide else "<i4")[chunk.offset : chunk.offset + len(chunk) + 1]
    content = memoryview(data)[int(ends[0]) : int(ends[-1])] if data is not None else b""
    return numpy.diff(ends), content


def _lists(walk: ValueWalk, kind: Any, chunks: Sequence[Any]) -> None:
    import numpy
    import pyarrow.compute as compute

    for chunk in chunks:
        lengths = compute.fill_null(compute.list_value_length(chunk), 0)
        walk.update(numpy.ascontiguousarray(lengths.to_numpy(zero_copy_only=False), "<i8"))
    _content(walk, kind.value_type, [chunk.flatten() for chunk in chunks])


def _structs(walk: ValueWalk, kind: Any, chunks: Sequence[Any]) -> None:
    fields = [chunk.flatten() for chunk in chunks]
    for number in range(kind.num_fields):
        _content(walk, kind.field(number).type, [columns[number] for columns in fields])


def _dictionaries(walk: ValueWalk, kind: Any, chunks: Sequence[Any]) -> None:
    import pyarrow as arrow

    parts = arrow.chunked_array(chunks, type=kind).unify_dictionaries().chunks
    _content(walk, kind.value_type, [part.dictionary for part in parts[:1]])
    _content(walk, kind.index_type, [part.indices for part in parts])


def _streamed(walk: ValueWalk, kind: object, chunks: Sequence[Any]) -> None:
    """Any other kind: as arrow itself would write it."""
    import pyarrow as arrow

    whole = arrow.chunked_array(chunks, type=kind).combine_chunks()
    sink = arrow.BufferOutputStream()
    schema = arrow.schema([("value", kind)])
    with arrow.ipc.new_stream(sink, schema) as stream:
        for part in whole.chunks if hasattr(whole, "chunks") else [whole]:
            stream.write_batch(arrow.record_batch([part], schema=schema))
    walk.blob(sink.getvalue())


_CONTENTS: tuple[tuple[str, Callable[[ValueWalk, Any, Sequence[Any]], None]], ...] = (
    ("is_null", _nothing),
    ("is_boolean", _booleans),
    ("is_dictionary", _dictionaries),
    ("is_string", _texts),
    ("is_large_string", _texts),
    ("is_binary", _texts),
    ("is_large_binary", _texts),
    ("is_list", _lists),
    ("is_large_list", _lists),
    ("is_struct", _structs),
    ("is_primitive", _fixed),
    ("is_decimal", _fixed),
    ("is_fixed_size_binary", _fixed),
)


def _polars_frame(walk: ValueWalk, value: Any) -> None:
    if walk.first_time(value):
        walk.tag("polars frame", type(value).__name__, str(value.height), *value.columns)
        for column in value.get_columns():
            _polars_column(walk, column)


def _polars_series(walk: ValueWalk, value: Any) -> None:
    if walk.first_time(value):
        walk.tag("polars series", value.name)
        _polars_column(walk, value)


def _polars_column(walk: ValueWalk, value: Any) -> None:
    walk.tag("polars", repr(value.dtype))
    if type(value.dtype).__name__ == "Object" or repr(value.dtype) == "Object":
        walk.sequence(b"objs", value.to_list())
    else:
        array(walk, value.to_arrow())
