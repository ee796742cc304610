"""The guarantees of insitu beside those of its peers: ``python -m benchmarks.scoreboard`` as root.

Every contestant makes the same edit: one line in the middle of a file of lines becomes longer. Then it is
killed while it does, the power of its disk (ext4 on a loop device) is cut the moment it says it is done, and
it edits a file that has everything a file can have beside its bytes. Peers are installed into an environment
of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.agent_peers import filesystem_server, install_filesystem_server
from benchmarks.measure import ROOT
from tests.system.disks import made
from tests.system.test_power_cuts import attached, cut, mount, unmount

PEERS = ("safer==6.1.0", "in-place==1.0.2", "atomicwrites==1.4.1")
LINE = b"%07d a line of some text, as there are many\n"
LINES = 200_000
OLD, NEW = b"0100000 a line", b"0100000 a line that has become longer than it was"
KILLS, CUTS = 20, 5
NOBODY = 65534

# What each runs, as source that sees path, OLD and NEW.
SCRIPTS = {
    "insitu": "import insitu; insitu.replace(path, OLD, NEW)",
    "insitu, atomic": "import insitu\n"
    "insitu.replace(path, OLD, NEW, policy=insitu.Policy(visibility='atomic'))",
    "safer": "import safer\nd = open(path, 'rb').read().replace(OLD, NEW)\n"
    "with safer.open(path, 'wb', temp_file=True) as f: f.write(d)",
    "in-place": "from in_place import InPlace\n"
    "with InPlace(path, 'b') as f:\n    for line in f: f.write(line.replace(OLD, NEW))",
    "atomicwrites": "from atomicwrites import atomic_write\nd = open(path, 'rb').read().replace(OLD, NEW)\n"
    "with atomic_write(path, mode='wb', overwrite=True) as f: f.write(d)",
    "fileinput": "import fileinput, sys\nwith fileinput.input(path, inplace=True, mode='rb') as f:\n"
    "    for line in f: sys.stdout.write(line.replace(OLD, NEW))",
}
# A client of the server speaks as a program of its own, so that one kill ends both.
SERVER = """
import json, os, subprocess, sys
program = sys.argv[1]
server = subprocess.Popen([program, os.path.dirname(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL, text=True)
def send(**message):
    server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\\n"); server.stdin.flush()
def call(number, method, **params):
    send(id=number, method=method, params=params)
    while (answer := json.loads(server.stdout.readline())).get("id") != number: pass
    return answer
call(1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "x", "version": "1"})
send(method="notifications/initialized")
print("ready", file=sys.stderr, flush=True)
answer = call(2, "tools/call", name="edit_file",
    arguments={"path": path, "edits": [{"oldText": OLD.decode(), "newText": NEW.decode()}]})
assert not answer["result"].get("isError"), answer
"""
Edit = Callable[[Path], subprocess.Popen[bytes]]


def contestants(folder: Path) -> dict[str, Edit | None]:
    """By name how an edit is started; None where a peer cannot be had."""
    home = folder / "peers"
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=False)
    found: dict[str, Edit | None] = {}
    for name, script in SCRIPTS.items():
        ours = name.startswith("insitu")
        found[name] = _script(sys.executable if ours else str(python), script)
    found["sed -i"] = lambda path: _started(
        ["sed", "-i", f"s/{OLD.decode()}/{NEW.decode()}/", str(path)], ready=False
    )
    install_filesystem_server(folder / "server")
    server = filesystem_server(folder / "server")
    found["server-filesystem"] = (
        _script(sys.executable, SERVER, str(server), says_ready=True) if server.exists() else None
    )
    return found


def _script(python: str, script: str, *arguments: str, says_ready: bool = False) -> Edit:
    head = f"import sys\npath, OLD, NEW = sys.argv[-1], {OLD!r}, {NEW!r}\n"
    code = head + ("" if says_ready else "print('ready', file=sys.stderr, flush=True)\n") + script
    return lambda path: _started([python, "-c", code, *arguments, str(path)], ready=True)


def _started(command: list[str], *, ready: bool) -> subprocess.Popen[bytes]:
    sources = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=sources, start_new_session=True
    )
    if ready:
        assert process.stderr
        line = process.stderr.readline()
        if line != b"ready\n":
            raise RuntimeError((line + process.stderr.read()).decode())
    return process


def killed(edit: Edit, folder: Path, old: bytes, new: bytes) -> str:
    """Kills the edit at random moments: how often the file was damaged, and whether rubbish was left."""
    chance = random.Random(1)
    path = folder / "killed" / "file"
    path.parent.mkdir()
    path.write_bytes(old)
    process = edit(path)
    began = time.monotonic()
    _ended(process)
    full_s = time.monotonic() - began
    damaged = rubbish = 0
    for _ in range(KILLS):
        shutil.rmtree(path.parent)
        path.parent.mkdir()
        path.write_bytes(old)
        process = edit(path)
        time.sleep(chance.uniform(0, full_s))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        _recover(path)
        now = path.read_bytes() if path.exists() else b""
        damaged += now not in (old, new)
        rubbish += sorted(name for name in os.listdir(path.parent) if name != ".insitu") != ["file"]
    return f"{damaged} of {KILLS} damaged, {rubbish} left rubbish"


def _recover(path: Path) -> None:
    """What the next opening with insitu does; nothing where insitu was not at work."""
    if (path.parent / ".insitu").exists():
        import insitu

        insitu.recover(path)


def _ended(process: subprocess.Popen[bytes]) -> None:
    words = process.communicate(timeout=120)[1]
    if process.returncode:
        raise RuntimeError(words.decode())


def cut_off(edit: Edit, folder: Path, old: bytes, new: bytes) -> str:
    """Cuts the power when the edit has said it is done: how often it is lost, or the file is."""
    image = made("ext4", folder, 192 << 20, ["-q", "-m", "0"])
    root = folder / "disk"
    root.mkdir(exist_ok=True)
    lost = damaged = 0
    with attached(image) as device:
        for number in range(CUTS):
            mount(device, root)
            try:
                path = root / str(number) / "file"
                path.parent.mkdir()
                path.write_bytes(old)
                os.sync()
                _ended(edit(path))
                cut(root)
            finally:
                unmount(root)
            mount(device, root)
            try:
                _recover(path)
                now = path.read_bytes() if path.exists() else b""
                lost += now == old
                damaged += now not in (old, new)
                shutil.rmtree(path.parent)
            finally:
                unmount(root)
    image.unlink()
    return f"{lost} of {CUTS} lost, {damaged} damaged"


def kept(edit: Edit, folder: Path, old: bytes, _: bytes) -> str:
    """What a file had beside its bytes and lost."""
    path = folder / "kept" / "file"
    path.parent.mkdir()
    path.write_bytes(old)
    os.chown(path, NOBODY, NOBODY)
    path.chmod(0o640)
    os.setxattr(path, "user.origin", b"x")
    subprocess.run(["setfacl", "-m", "u:12345:rw-", path], check=True)
    other, link = path.with_name("other"), path.with_name("link")
    os.link(path, other)
    link.symlink_to("file")
    before, listed = path.stat(), os.getxattr(path, "system.posix_acl_access")
    refused = ""
    try:
        _ended(edit(link))
    except RuntimeError as error:
        if "hard links" not in str(error):
            raise
        assert path.read_bytes() == old
        other.unlink()
        _ended(edit(link))
        refused = "refused for its hard link, else "
    lost = {
        "symbolic link": not link.is_symlink(),
        "hard link": other.exists() and other.read_bytes() != link.read_bytes(),
        "owner": (link.stat().st_uid, link.stat().st_gid) != (before.st_uid, before.st_gid),
        "mode": link.stat().st_mode != before.st_mode,
        "attributes": "user.origin" not in os.listxattr(link),
        "access list": "system.posix_acl_access" not in os.listxattr(link)
        or os.getxattr(link, "system.posix_acl_access") != listed,
    }
    return refused + (", ".join(name for name, gone in lost.items() if gone) or "nothing")


CHECKS = {"killed while editing": killed, "power cut when done": cut_off, "lost beside the bytes": kept}


@contextmanager
def _room(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.resolve()
        return
    room = Path(tempfile.mkdtemp(prefix="insitu-scoreboard-"))
    yield room
    shutil.rmtree(room)


def main() -> int:
    """Prints the table; 1 if insitu lost or damaged anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where peers are installed and files made; kept")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    arguments = parser.parse_args()
    old = b"".join(LINE % number for number in range(LINES))
    new = old.replace(OLD, NEW)
    rows: dict[str, dict[str, str]] = {}
    with _room(arguments.folder) as room:
        for name, edit in contestants(room).items():
            rows[name] = {}
            for check, run in CHECKS.items():
                inside = Path(tempfile.mkdtemp(dir=room))
                try:
                    rows[name][check] = run(edit, inside, old, new) if edit else "not installed"
                except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                    rows[name][check] = f"failed: {str(error).strip().splitlines()[-1][:60]}"
                shutil.rmtree(inside)
    if arguments.json:
        print(json.dumps(rows, indent=1))
    else:
        print("| | " + " | ".join(CHECKS) + " |\n" + "| --- " * (len(CHECKS) + 1) + "|")
        for name, found in rows.items():
            print(f"| {name} | " + " | ".join(found.values()) + " |")
    ours = [rows[name] for name in rows if name.startswith("insitu")]
    wanted = (f"0 of {KILLS} damaged, 0 left rubbish", f"0 of {CUTS} lost, 0 damaged")
    return 0 if all(tuple(row.values())[:2] == wanted for row in ours) else 1


if __name__ == "__main__":
    sys.exit(main())
