"""The parameters a notebook declares: their types, their values, and the cell that sets them."""
