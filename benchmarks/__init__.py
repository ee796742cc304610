"""insitu beside its peers, on the same input, in the same run: ``python -m benchmarks``."""
