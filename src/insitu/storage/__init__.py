"""The I/O edge: the only floor that calls the operating system to change files."""
