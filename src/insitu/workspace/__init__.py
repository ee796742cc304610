"""What an agent may do with the files below a root: within bounds, on record, and undoable."""
