"""The built-in transforms, as values: hand one to ``insitu.transform`` or to ``doc.make``.

insitu.transform("huge.log", transforms.Drop("DEBUG"))
insitu.transform("huge.log", transforms.Redact(r"\\b[0-9]{16}\\b"))
"""

from insitu.views.transform_dedupe import Dedupe
from insitu.views.transform_ends import LineEnds, Number, Trim
from insitu.views.transform_patterns import Drop, Keep, Redact, Substitute

__all__ = ("Dedupe", "Drop", "Keep", "LineEnds", "Number", "Redact", "Substitute", "Trim")
