"""What a notebook is made of in memory: nbformat's nodes, dicts whose keys are attributes too. It need not be imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from nbformat.notebooknode import NotebookNode as NotebookNode
else:
    NotebookNode = dict

CellNode: TypeAlias = NotebookNode
"""A cell: cell_type, source, metadata; one of code also outputs and execution_count."""
OutputNode: TypeAlias = NotebookNode
"""What a cell printed or displayed: output_type, and what follows from that."""
Message: TypeAlias = dict[str, Any]
"""A message of Jupyter's protocol: msg_type, header, parent_header, metadata, content, buffers."""
OnOutput: TypeAlias = Callable[[OutputNode | None], None]
"""Told of each output; of None where only the cell's metadata changed."""
