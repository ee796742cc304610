"""The engine: the only code that changes files."""
