"""The super-journal: the one file that says whether several files change together (J11 to J14).

It lies in the state folder of the first participant, under a random name, and its *name* is the answer:

    ID.undecided    not committed: whoever holds a journal that names it drops that journal
    ID.committed    committed: whoever holds a journal that names it carries it out
    neither         no answer; a person has to choose

One rename turns the first into the second. Because a "no" is a file, too, nothing is concluded from an
absence: a disk that is not mounted, a folder that was moved or emptied never passes for an answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from insitu.core.records import HEAD_BYTES, PREAMBLE, Kind, checksum, pack_record, unpack_record
from insitu.engine.journal import Journal
from insitu.engine.sealed import ID, Sound, record_of
from insitu.engine.site import FOLDER, Site
from insitu.errors import InsituError, JournalDamagedError, RecoveryNeededError, RequestError
from insitu.storage.base import File, Stat, Volume

MAGIC: Final = b"insituX\x01"
UNDECIDED: Final = ".undecided"
COMMITTED: Final = ".committed"

ID_BYTES: Final = 16
"""Random bytes in a name: no two transactions ever share one, and nobody guesses one."""

_RECORD_MAX: Final = 64 << 20
"""Some hundred bytes for each participant: what is larger is none of ours, and not read."""


class Participant(NamedTuple):
    """A file of a transaction, and the salt of the journal it brings."""

    site: Site
    salt: int


class SuperJournal:
    """The super-journal of a transaction under way.

    Args:
        home: the participant in whose state folder it lies.
        id: its random id, in hexadecimal.
    """

    def __init__(self, home: Site, id: str) -> None:
        self.home = home
        self.id = id
        self._path = os.path.join(home.state, id + UNDECIDED)

    @classmethod
    def new(cls, home: Site) -> SuperJournal:
        """One that is not on the disk yet."""
        return cls(home, os.urandom(ID_BYTES).hex())

    def write(self, participants: Sequence[Participant]) -> None:
        """Puts it on the disk, durably, as one that is not committed (J11)."""
        home = self.home
        record = {
            "id": self.id,
            "participants": [
                {
                    "file": _way(site.path, home.state),
                    "state": _way(site.state, home.state),
                    "salt": salt,
                }
                for site, salt in participants
            ],
        }
        payload = json.dumps(record).encode()
        salt = int(self.id[:16], 16)
        file = home.volume.open(self._path, write=True, create=True)
        try:
            head = PREAMBLE.pack(MAGIC, salt)
            file.write(0, head + pack_record(Kind.HEADER, payload, salt, len(head)) + payload)
            file.sync()
        finally:
            file.close()
        home.volume.sync_folder(home.state)

    def pointer(self, site: Site) -> dict[str, str]:
        """What a participant's journal says of it: the id, and the way from its own state folder."""
        return {"id": self.id, "home": _way(self.home.state, site.state)}

    def commit(self) -> None:
        """The commit point of the transaction, once ``sync`` has made it durable (J12)."""
        self.home.volume.rename(self._path, self._committed_path)
        self._path = self._committed_path

    @property
    def committed(self) -> bool:
        """Whether it was renamed, whatever the caller was told."""
        return self.home.volume.stat(self._committed_path) is not None

    def sync(self) -> None:
        """Makes its name durable."""
        self.home.volume.sync_folder(self.home.state)

    def remove(self) -> None:
        """Removes it; nobody may have to ask it any more (J14)."""
        self.home.volume.remove(self._path)

    @property
    def _committed_path(self) -> str:
        return os.path.join(self.home.state, self.id + COMMITTED)


def _way(path: str, start: str) -> str:
    """The way to a path, which stays right where both are moved together."""
    try:
        return os.path.relpath(path, start)
    except ValueError:
        return path  # Windows: there is no way from one drive to another


def undecided(journal: Journal) -> bool:
    """Whether a journal means nothing before its super-journal was asked (J13)."""
    return bool(journal.plan.get("super")) and journal.progress.sequence == 0


def check_in_sight(site: Site, journal: SuperJournal, salt: int, target: Stat) -> None:
    """Refuses a participant that could not ask the super-journal after a crash.

    Raises:
        RequestError: it lies on a volume, or belongs to somebody, from where it cannot be seen or trusted.
    """
    try:
        _answer(site, journal.pointer(site), salt, target)
    except RecoveryNeededError as error:
        raise RequestError(
            f"{site.path} cannot change together with {journal.home.path}: {error.facts['why']}. "
            "All files are unchanged.",
            hint="Give all files of a transaction one owner, and open them below one root.",
            path=site.path,
            other=journal.home.path,
        ) from error


def committed(site: Site, pointer: Mapping[str, Any], salt: int, target: Stat) -> bool:
    """Asks a participant's super-journal; it is only read, and its name made durable as it is found (J13).

    Args:
        pointer: what the participant's journal says of it.
        salt: of the participant's journal, which the super-journal must list.
        target: status of the participant.

    Raises:
        RecoveryNeededError: there is no answer, or none that can be trusted.
    """
    answer = _answer(site, pointer, salt, target)
    # What is seen may be in the page cache alone: the process was killed before it synced (J12).
    site.volume.sync_folder(_home(site, pointer))
    return answer


def _home(site: Site, pointer: Mapping[str, Any]) -> str:
    return os.path.normpath(os.path.join(site.state, pointer["home"]))


def _answer(site: Site, pointer: Mapping[str, Any], salt: int, target: Stat) -> bool:
    home = _home(site, pointer)
    try:
        for folder in (os.path.dirname(home), home):
            site.trusts(folder, target)
        for suffix in (COMMITTED, UNDECIDED):
            path = os.path.join(home, pointer["id"] + suffix)
            if site.volume.stat(path) is None:
                continue
            record = _read(site, path, target)
            salts = [participant["salt"] for participant in record["participants"]]
            if record["id"] == pointer["id"] and salt in salts:
                return suffix == COMMITTED
            raise _in_doubt(site, home, "it speaks of another transaction")
    except RequestError as error:
        raise _in_doubt(site, home, error.message.rstrip(".")) from error
    except RecoveryNeededError as error:
        raise _in_doubt(site, home, error.facts.get("why") or error.message.rstrip(".")) from error
    raise _in_doubt(site, home, "it is not there")


def settle(site: Site, pointer: Mapping[str, Any]) -> None:
    """Removes a super-journal that nobody will ask any more (J14); leaves it where that is not sure.

    Args:
        site: any participant, its own part finished.
    """
    home = _home(site, pointer)
    for suffix in (COMMITTED, UNDECIDED):
        _settle(site, home, pointer["id"], suffix)


def settle_all(site: Site, names: Sequence[str]) -> None:
    """Does the same for those in a participant's own state folder, given the names in it."""
    for name in names:
        id, suffix = os.path.splitext(name)
        if suffix in (COMMITTED, UNDECIDED) and ID.fullmatch(id):
            _settle(site, site.state, id, suffix)


def _settle(site: Site, home: str, id: str, suffix: str) -> None:
    volume, path = site.volume, os.path.join(home, id + suffix)
    try:
        if volume.stat(path) is None:
            return
        target = site.status()
        for folder in (os.path.dirname(home), home):
            site.trusts(folder, target)
        try:
            record = _read(site, path, target)
        except JournalDamagedError:
            if suffix == UNDECIDED and home == site.state:
                volume.remove(path)  # it was never whole, so no journal names it (J11)
            return
        sites = [_site(volume, home, participant) for participant in record["participants"]]
        if record["id"] != id or sites[0].state != home or any(_waits(other, id) for other in sites):
            return
        for other in sites:
            if volume.stat(other.state) is not None:
                volume.sync_folder(other.state)  # a dropped journal that came back would have nobody to ask
        volume.remove(path)
        sites[0].tidy()
    except InsituError:
        return  # it is small and does no harm; whoever comes next tries again


def _site(volume: Volume, home: str, participant: Mapping[str, Any]) -> Site:
    """The site of a participant: what is cleared up there has to be a state folder, and that file's own.

    Raises:
        JournalDamagedError: it is none.
    """
    file, state = (os.path.normpath(os.path.join(home, participant[name])) for name in ("file", "state"))
    parent = os.path.dirname(state)
    site = Site.at(volume, file, None if os.path.basename(parent) == FOLDER else parent)
    if site.state != state:
        raise JournalDamagedError(
            f"The super-journal in {home} names a folder that is not {file}'s.", path=home
        )
    return site


def _waits(site: Site, id: str) -> bool:
    """Whether a participant may still have to ask: its journal says so, or it is out of sight."""
    volume = site.volume
    if volume.stat(site.journal) is None:
        return volume.stat(site.state) is None and volume.stat(site.path) is None
    journal = volume.open(site.journal)
    try:
        pointer = Journal.load(journal).plan.get("super")
        return pointer is not None and pointer["id"] == id
    finally:
        journal.close()


def _read(site: Site, path: str, target: Stat) -> dict[str, Any]:
    """What a super-journal says, if it can be trusted.

    Raises:
        RecoveryNeededError: it cannot.
    """
    file = site.volume.open(path)
    try:
        site.check_journal(file, target)
        return _record(file)
    finally:
        file.close()


def _record(file: File) -> dict[str, Any]:
    at, damaged = (
        PREAMBLE.size,
        JournalDamagedError(f"The super-journal {file.path} is damaged.", path=file.path),
    )
    size = file.size()
    if not at + HEAD_BYTES <= size <= _RECORD_MAX:
        raise damaged
    data = file.read(0, size)
    magic, salt = PREAMBLE.unpack_from(data)
    head = unpack_record(data[at:])
    payload = data[at + HEAD_BYTES :]
    whole = head == (Kind.HEADER, len(payload), checksum(payload, salt, at))
    if magic != MAGIC or not whole:
        raise damaged
    try:
        return record_of(payload, _FIELDS, "super-journal")
    except ValueError as error:
        raise damaged from error


def _participants(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(_participant, value))


def _participant(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in ("file", "state"))
        and type(value.get("salt")) is int
    )


_FIELDS: Final[Mapping[str, Sound]] = {
    "id": lambda value: isinstance(value, str) and ID.fullmatch(value) is not None,
    "participants": _participants,
}


def _in_doubt(site: Site, home: str, why: str) -> RecoveryNeededError:
    return RecoveryNeededError(
        f"{site.path} was to change together with other files, and whether they did cannot be told: the "
        f"super-journal in {home} gives no answer ({why}). Nothing was touched.",
        hint="Make that folder available again; or, when you know what the other files hold, choose with: "
        "insitu recover --force-undo FILE, or insitu recover --force-redo FILE",
        path=site.path,
        home=home,
        why=why,
    )
