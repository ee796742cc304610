"""The storage of the machine the program runs on."""

from __future__ import annotations

import sys

from insitu.storage.base import Volume


def local_volume() -> Volume:
    """The local files, with every call the platform has to make edits cheaper."""
    if sys.platform == "linux":
        from insitu.storage.linux import LinuxVolume

        return LinuxVolume()
    else:
        from insitu.storage.portable import PortableVolume

        return PortableVolume()
