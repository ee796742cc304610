"""The one-call verbs, by what they do: open and look, edit places, change in mass, take back."""

from insitu.api.mass import carry_out, preview

__all__ = ["carry_out", "preview"]
