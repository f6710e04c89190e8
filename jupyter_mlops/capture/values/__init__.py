"""Values to the store and back: pack while the cell holds the kernel, write behind its back, load when needed.

Values that share state are one component, stored and restored together. Large memory is content-addressed, so what two
versions of a table have in common is stored once, and is mapped when loaded.
"""

from jupyter_mlops.capture.values.packing import Packed, pack
from jupyter_mlops.capture.values.reading import Values, references
from jupyter_mlops.capture.values.writing import write

__all__ = ["Packed", "Values", "pack", "references", "write"]
