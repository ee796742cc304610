"""The one-call verbs, by what they do: open and look, edit places, change in mass, take back."""
