"""Runs one command and reports its time and memory; run as a script: ``launch.py OUT ERR COMMAND ...``.

A process that starts another passes its own resident memory on as the floor of the other's maximum, so
commands are started from this small process and not from the one that makes inputs and draws plots.

Source: getrusage(2); ru_maxrss survives execve.
"""

import os
import sys
import time


def main() -> None:
    """Prints seconds, most resident bytes and exit code."""
    out, err, *command = sys.argv[1:]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    redirections = [(os.POSIX_SPAWN_OPEN, 1, out, flags, 0o600), (os.POSIX_SPAWN_OPEN, 2, err, flags, 0o600)]
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=redirections)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    kibibytes = usage.ru_maxrss // 1024 if sys.platform == "darwin" else usage.ru_maxrss
    print(seconds, kibibytes * 1024, os.waitstatus_to_exitcode(status))


main()
