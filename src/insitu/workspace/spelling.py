"""How a path may be spelled by somebody who is not trusted: rules on its letters alone, the disk unasked.

What is refused here means different things to different systems or readers: a name that shows as another,
that Windows takes for a device, or that a shell would expand. Names that only other systems stumble over may
be used where they are there already (``app-12:30:00.log``, ``aux.c``), and not be given to new files.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from insitu.errors import ForbiddenPathError, RequestError

NAME_BYTES_MAX: Final = 255
PATH_BYTES_MAX: Final = 4096

# Source: "Naming Files, Paths, and Namespaces" (Microsoft): whatever follows the first dot, it is the device.
_DEVICE: Final = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])(?: *\..*)?",
    re.IGNORECASE,
)
# Controls, formatting (bidirectional and zero-width ones are among them), lone surrogates, line ends.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def check_spelling(path: str) -> None:
    """Refuses a path that is spelled in a way that nobody may use.

    Raises:
        ForbiddenPathError: it has such a character, climbs with "..", or begins with "~".
        RequestError: it is empty or longer than any file system allows.
    """
    if not path:
        raise RequestError("The path is empty.", hint='Use "." for the root itself.')
    if (size := len(path.encode(errors="surrogatepass"))) > PATH_BYTES_MAX:
        raise RequestError(
            f"The path has {size:,} bytes; {PATH_BYTES_MAX:,} is the most.",
            hint="Write it relative to the root.",
        )
    for character in path:
        if unicodedata.category(character) in _UNSEEN:
            raise _forbidden(
                path,
                f"has the character U+{ord(character):04X}, which cannot be seen",
                "Write the path in letters that can be seen, as a listing shows it.",
            )
    if path.startswith("~"):
        raise _forbidden(path, 'begins with "~", which is not expanded', "Write the path from the root.")
    for name in path.split("/"):
        if name not in ("", "."):
            _check_name(path, name)


def _check_name(path: str, name: str) -> None:
    if name == "..":
        raise _forbidden(path, 'climbs with ".."', 'Write the path from the root, without "..".')
    if len(name.encode()) > NAME_BYTES_MAX:
        raise RequestError(f"A name in the path has {len(name.encode()):,} bytes; 255 is the most.")
    if name.endswith((".", " ")):
        raise _forbidden(path, f"has the name {name!r}, which ends in a dot or a space")


def check_new(path: str) -> None:
    """Refuses a path that is to be made and that some other system could not hold.

    Raises:
        ForbiddenPathError: a name has a colon or is that of a device of Windows.
    """
    for name in path.split("/"):
        if ":" in name:
            raise _forbidden(
                path, f'has a ":" in the name {name!r}, which means a stream or a drive elsewhere'
            )
        if _DEVICE.fullmatch(name):
            raise _forbidden(path, f"has the name {name!r}, which means a device on Windows")


def folded(name: str) -> str:
    """What names that some file system takes for the same have in common: composed, without case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _forbidden(path: str, what: str, hint: str = "Choose another name.") -> ForbiddenPathError:
    return ForbiddenPathError(f"The path {_shown(path)} {what}. Nothing was changed.", hint=hint, path=path)


def _shown(path: str) -> str:
    """A path as it can be put into a message: unseen characters escaped, not too long."""
    return repr(path if len(path) <= NAME_BYTES_MAX else path[:NAME_BYTES_MAX] + "...")
