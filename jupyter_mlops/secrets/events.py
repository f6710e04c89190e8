"""What a cell showed, message by message, with names in place of secrets: as the kernel's front end got it."""

from __future__ import annotations

from typing import Any

from jupyter_mlops.secrets.known import KNOWN


def without_secrets(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events; those of streams are pieces of one text. The very list where no secret was looked up."""
    patterns = KNOWN.patterns
    if patterns is None:
        return events
    from jupyter_mlops.secrets.merged import MergedStreams, Piece
    from jupyter_mlops.secrets.redaction import Stream, redact_all

    made: list[dict[str, Any]] = []
    merged = MergedStreams()
    streams: dict[str, Stream] = {}

    def show(pieces: list[Piece]) -> None:
        for piece in pieces:
            text = streams.setdefault(piece.name, Stream()).feed(patterns, piece.text)
            if text:
                made.append({**piece.rest, "text": text})

    def end() -> None:
        show(merged.end(patterns))
        made.extend(
            {"type": "stream", "name": name, "text": text}
            for name, stream in streams.items()
            if (text := stream.end(patterns))
        )

    for event in events:
        if event["type"] == "stream":
            show(merged.feed(patterns, Piece(event["name"], event["text"], event)))
            continue
        end()
        made.append(redact_all(patterns, event))
    end()
    return made
