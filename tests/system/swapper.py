"""A program that exchanges two names all the time: ``start(SWAPPER, folder, name, other, pause_s)``."""

from __future__ import annotations

SWAPPER = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
folder, one, other = os.open(sys.argv[1], os.O_PATH), sys.argv[2].encode(), sys.argv[3].encode()
pause_s = float(sys.argv[4])
parent = os.getppid()
count = 0
print("ready", flush=True)
while True:
    # RENAME_EXCHANGE: never a moment without either name
    if libc.renameat2(folder, one, folder, other, 2):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    count += 1
    if pause_s:
        time.sleep(pause_s)
    if count % 1000 == 0 and os.getppid() != parent:
        break  # the test is gone
"""
