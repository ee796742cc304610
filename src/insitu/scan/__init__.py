"""Bounded-memory reading over the reader protocol: windows, search, parallel passes."""
