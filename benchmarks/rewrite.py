"""The peer that rewrites: insert a text through a new file copied inside the kernel, synced and renamed.

Run as a script: ``rewrite.py FILE OFFSET TEXT``. What a careful user writes who has read copy_file_range(2).
"""

import os
import sys


def copy(source: int, target: int, size: int) -> None:
    """Copies ``size`` bytes from where the source stands to where the target stands."""
    while size:
        copied = os.copy_file_range(source, target, size)
        if not copied:
            raise EOFError("the source ended early")
        size -= copied


def main() -> None:
    """Writes the new file beside the old one and takes its place, durably."""
    path, offset, text = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
    source = os.open(path, os.O_RDONLY)
    target = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    copy(source, target, offset)
    os.write(target, text)
    copy(source, target, os.fstat(source).st_size - offset)
    os.fsync(target)
    os.rename(path + ".new", path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    os.fsync(folder)


main()
