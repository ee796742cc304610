"""Formats: how an address becomes a span and a value becomes bytes. Pure."""
