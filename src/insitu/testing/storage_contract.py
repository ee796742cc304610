"""The contract of a storage as tests to inherit, against a plain ``bytearray`` as the oracle.

A storage's author writes::

    class TestMine(StorageContract):
        @pytest.fixture
        def volume(self): return MyVolume()

        @pytest.fixture
        def folder(self): return "/an/empty/folder"

and pytest runs all of it. Abilities that the facts deny must raise ``UnsupportedError``.
"""

from __future__ import annotations

import itertools
import stat as modes
import threading
from collections.abc import Callable
from typing import Final, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from insitu.core.facts import Facts
from insitu.core.spans import Span
from insitu.errors import (
    ExistingFileError,
    FileKindError,
    InternalError,
    MissingFileError,
    RequestError,
    StorageError,
    UnsupportedError,
)
from insitu.storage.base import Entry, File, Volume
from insitu.testing.locking_contract import LockingContract

_BLOCKS: Final = 6  # files of the property test stay about this long, so that calls often meet
_numbers = itertools.count()


class Call(NamedTuple):
    """One call of the property test: places are (block, byte within it), so that edges are hit often."""

    name: str
    at: tuple[int, int]
    size: tuple[int, int]
    fill: int


_places = st.tuples(st.integers(0, _BLOCKS), st.sampled_from([0, 0, 1, 511, 4095]))
_calls = st.lists(
    st.builds(
        Call,
        st.sampled_from(["write", "resize", "reserve", "punch", "insert", "collapse", "copy", "sync"]),
        _places,
        st.tuples(st.integers(0, 2), st.sampled_from([0, 0, 1, 700])),
        st.integers(1, 255),
    ),
    max_size=12,
)


class StorageContract(LockingContract):
    """Tests that every ``Volume`` and its ``File`` pass."""

    @pytest.fixture
    def volume(self) -> Volume:
        """The storage under test; to be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def folder(self) -> str:
        """An empty folder of it; to be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def facts(self, volume: Volume, folder: str) -> Facts:
        """What the storage says it can do."""
        return volume.facts(folder)

    @pytest.fixture
    def file(self, volume: Volume, folder: str) -> File:
        """A new file of ten digits."""
        return _made(volume, folder, b"0123456789")

    # -- the contents of a file

    @settings(
        deadline=None,  # disks have moods
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(calls=_calls)
    def test_any_calls_leave_what_they_leave_of_a_bytearray(
        self, volume: Volume, folder: str, facts: Facts, calls: list[Call]
    ) -> None:
        file, source = _made(volume, folder, b""), _made(volume, folder, bytes(range(256)) * 256)
        model = bytearray()
        for call in calls:
            _run(call, file, source, model, facts)
            assert file.size() == len(model)
            assert file.read(0, len(model) + 1) == bytes(model)
        _assert_holes_are_zeros(file, bytes(model))
        for made in (file, source):
            made.close()
            volume.remove(made.path)

    def test_reads_are_short_only_where_the_file_ends(self, file: File) -> None:
        assert file.read(0, 10) == b"0123456789"
        assert file.read(8, 10) == b"89"
        assert file.read(10, 5) == file.read(99, 5) == file.read(3, 0) == b""
        buffer = bytearray(b"......")
        assert file.read_into(7, memoryview(buffer)) == 3
        assert buffer == b"789..."

    def test_every_kind_of_buffer_is_written_whole(self, file: File) -> None:
        for data in (b"ab", bytearray(b"cd"), memoryview(b"xefx")[1:3], memoryview(b"ghij").cast("H")):
            file.write(4, data)
            assert file.read(4, memoryview(data).nbytes) == bytes(data)

    def test_writing_past_the_end_leaves_zeros_between(self, file: File) -> None:
        file.write(12, b"x")
        assert file.read(0, 99) == b"0123456789\0\0x"

    def test_threads_read_at_their_own_offsets(self, volume: Volume, folder: str) -> None:
        data = bytes(range(256)) * 64
        file = _made(volume, folder, data)
        wrong: list[int] = []

        def reads(start: int) -> None:
            wrong.extend(at for at in range(start, 16000, 37) if file.read(at, 64) != data[at : at + 64])

        threads = [threading.Thread(target=reads, args=(start,)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def test_a_copy_is_exact_whatever_its_alignment(self, volume: Volume, folder: str, facts: Facts) -> None:
        block = facts.block_bytes
        data = b"".join(number.to_bytes(4, "big") for number in range(3 * block))
        source, file = _made(volume, folder, data), _made(volume, folder, b"")
        for start, at, size in ((0, 0, len(data)), (block + 5, 5, 5 * block), (1, block, 3 * block + 9)):
            file.copy_from(source, start, at, size)
            assert file.read(at, size) == data[start : start + size]
        assert source.read(0, len(data)) == data

    def test_a_copy_shares_nothing_afterwards(self, volume: Volume, folder: str, facts: Facts) -> None:
        data = b"s" * 4 * facts.block_bytes
        source, file = _made(volume, folder, data), _made(volume, folder, b"")
        file.copy_from(source, 0, 0, len(data))
        source.write(0, b"new")
        assert file.read(0, len(data)) == data

    def test_a_copy_past_the_end_of_its_source_fails(self, volume: Volume, folder: str, file: File) -> None:
        with pytest.raises(StorageError, match="ended"):
            _made(volume, folder, b"").copy_from(file, 5, 0, 6)

    def test_a_copy_that_overlaps_itself_is_refused(self, file: File) -> None:
        with pytest.raises(InternalError):
            file.copy_from(file, 0, 2, 5)
        assert file.read(0, 10) == b"0123456789"

    def test_punched_blocks_are_holes(self, volume: Volume, folder: str, facts: Facts) -> None:
        # Wide enough to hold whole clusters of any file system.
        wide = 1 << 20
        file = _made(volume, folder, b"d" * 3 * wide)
        if not facts.punch:
            with pytest.raises(UnsupportedError):
                file.punch(Span(wide, 2 * wide))
            return
        file.punch(Span(wide, 2 * wide))
        assert (file.next_hole(0), file.next_data(wide)) == (wide, 2 * wide)
        assert (file.next_data(2 * wide), file.next_hole(2 * wide)) == (2 * wide, 3 * wide)
        assert file.read(wide - 1, wide + 2) == b"d" + bytes(wide) + b"d"

    def test_past_the_end_there_is_neither_data_nor_hole(self, file: File) -> None:
        assert file.next_data(10) == file.next_hole(10) == file.next_data(99) == 10

    def test_a_file_opened_for_reading_is_not_written(self, volume: Volume, file: File) -> None:
        reader = volume.open(file.path)
        changes: list[Callable[[], None]] = [lambda: reader.write(0, b"x"), lambda: reader.resize(1)]
        for change in changes:
            with pytest.raises(StorageError):
                change()
        assert reader.read(0, 99) == b"0123456789"

    def test_a_closed_file_can_be_closed_again_but_not_used(self, file: File) -> None:
        file.close()
        file.close()
        for use in (lambda: file.read(0, 1), file.size, file.sync):
            with pytest.raises(StorageError):
                use()

    # -- names

    def test_creating_demands_that_there_is_nothing(self, volume: Volume, folder: str, file: File) -> None:
        with pytest.raises(ExistingFileError):
            volume.open(file.path, create=True)
        with pytest.raises(ExistingFileError):
            volume.open(folder, create=True)
        assert file.read(0, 99) == b"0123456789"

    def test_a_new_file_is_private_and_durable(self, volume: Volume, folder: str, file: File) -> None:
        file.sync()
        volume.sync_folder(folder)
        assert modes.S_IMODE(file.stat().mode) == 0o600
        assert file.stat().links == 1

    def test_a_new_file_has_the_permissions_it_is_given(self, volume: Volume, folder: str) -> None:
        file = volume.open(f"{folder}/given", create=True, mode=0o640)
        assert modes.S_IMODE(file.stat().mode) == 0o640

    def test_an_unnamed_file_appears_whole_or_not_at_all(self, volume: Volume, folder: str) -> None:
        path = f"{folder}/whole"
        try:
            file, lost = volume.open_unnamed(path, 0o640), volume.open_unnamed(f"{folder}/lost")
        except UnsupportedError:
            return  # files have their names from the beginning here
        before = volume.names(folder)
        file.write(0, b"all of it")
        file.sync()
        assert volume.names(folder) == before
        volume.give_name(file)
        volume.sync_folder(folder)
        assert volume.names(folder) == sorted([*before, "whole"])
        found = volume.open(path)
        assert found.read(0, 99) == b"all of it"
        assert (modes.S_IMODE(file.stat().mode), file.stat().links) == (0o640, 1)
        late = volume.open_unnamed(path)
        with pytest.raises(ExistingFileError):
            volume.give_name(late)
        for opened in (late, lost, file, found):
            opened.close()
        with pytest.raises(MissingFileError):
            volume.open_unnamed(f"{folder}/missing/file")
        assert volume.names(folder) == sorted([*before, "whole"])

    def test_opening_what_is_no_file_says_what_it_is(self, volume: Volume, folder: str) -> None:
        with pytest.raises(MissingFileError):
            volume.open(folder + "/missing", write=True)
        with pytest.raises(MissingFileError):
            volume.open(folder + "/missing/file", create=True)
        with pytest.raises(FileKindError):
            volume.open(folder)
        assert volume.stat(folder + "/missing") is None
        assert not volume.mounted(folder + "/missing") and not volume.mounted(folder + "/missing/file")

    def test_paths_that_cannot_be_are_refused(self, volume: Volume, folder: str) -> None:
        path = folder + "/a\0b"
        uses: list[Callable[[], object]] = [
            lambda: volume.open(path),
            lambda: volume.stat(path),
            lambda: volume.resolve(path),
            lambda: volume.remove(path),
            lambda: volume.resolve(""),
        ]
        for use in uses:
            with pytest.raises(RequestError):
                use()

    def test_a_path_resolves_to_its_plain_form(self, volume: Volume, folder: str, file: File) -> None:
        name = file.path.rpartition("/")[2]
        assert volume.resolve(f"{folder}/./{name}") == volume.resolve(file.path)
        assert not volume.mounted(volume.resolve(file.path))
        assert volume.resolve(folder + "/new") == volume.resolve(folder).rstrip("/") + "/new"
        with pytest.raises(MissingFileError):
            volume.resolve(folder + "/missing/new")

    def test_renaming_replaces_and_keeps_the_identity(self, volume: Volume, folder: str, file: File) -> None:
        old, who = _made(volume, folder, b"old"), file.identity()
        volume.rename(file.path, old.path)
        volume.sync_folder(folder)
        assert volume.stat(file.path) is None
        again = volume.open(old.path)
        assert again.read(0, 99) == b"0123456789"
        assert again.identity() == file.identity() == who != old.identity()
        assert volume.stat(old.path) == file.stat()
        assert old.read(0, 99) == b"old"
        with pytest.raises(MissingFileError):
            volume.rename(file.path, old.path)
        file.renamed(old.path)
        assert file.path == old.path

    def test_a_file_is_never_renamed_over_a_folder(self, volume: Volume, folder: str, file: File) -> None:
        volume.make_folder(folder + "/sub", file.stat())
        with pytest.raises(FileKindError):
            volume.rename(file.path, folder + "/sub")

    def test_removing_is_harmless_where_there_is_nothing(
        self, volume: Volume, folder: str, file: File
    ) -> None:
        for _ in range(2):
            volume.remove(file.path)
        volume.remove(folder + "/missing/file")
        assert volume.stat(file.path) is None
        assert file.read(0, 3) == b"012"  # an open file outlives its name
        assert file.stat().links == 0

    def test_names_are_sorted(self, volume: Volume, folder: str) -> None:
        for name in ("b", "a", "c c", "\u00e9"):
            volume.open(f"{folder}/{name}", create=True).close()
        assert volume.names(folder) == ["a", "b", "c c", "\u00e9"]
        assert volume.names(folder + "/missing") == []
        assert volume.entries(folder + "/missing") == []
        with pytest.raises(FileKindError):
            volume.names(folder + "/a")

    def test_entries_tell_files_from_folders(self, volume: Volume, folder: str, file: File) -> None:
        volume.make_folder(folder + "/a", file.stat())
        name = file.path.rpartition("/")[2]
        assert volume.entries(folder) == [Entry("a", "folder"), Entry(name, "file")]

    # -- folders

    @pytest.mark.parametrize(
        ("file_mode", "folder_mode"), [(0o600, 0o700), (0o640, 0o750), (0o664, 0o755), (0o604, 0o705)]
    )
    def test_a_folder_lets_in_whom_the_file_lets_read(
        self, volume: Volume, folder: str, file: File, file_mode: int, folder_mode: int
    ) -> None:
        like = file.stat()._replace(mode=modes.S_IFREG | file_mode)
        for _ in range(2):
            volume.make_folder(folder + "/sub", like)
        made = volume.stat(folder + "/sub")
        assert made is not None
        assert modes.S_ISDIR(made.mode)
        assert modes.S_IMODE(made.mode) == folder_mode

    def test_a_file_in_the_way_of_a_folder_is_refused(self, volume: Volume, file: File) -> None:
        with pytest.raises(FileKindError):
            volume.make_folder(file.path, file.stat())

    def test_only_an_empty_folder_is_removed(self, volume: Volume, folder: str, file: File) -> None:
        sub = folder + "/sub"
        volume.make_folder(sub, file.stat())
        inside = _made(volume, sub, b"")
        volume.remove_folder(sub)
        assert volume.names(sub) == [inside.path.rpartition("/")[2]]
        volume.remove(inside.path)
        for _ in range(2):
            volume.remove_folder(sub)
        assert volume.stat(sub) is None

    # -- marks, metadata, facts

    def test_a_mark_stays_with_the_file(self, volume: Volume, folder: str, file: File, facts: Facts) -> None:
        file.set_mark(None)
        assert file.mark() is None
        if not facts.marks:
            with pytest.raises(UnsupportedError):
                file.set_mark(b"7")
            return
        for value in (b"7", b"", bytes(range(64))):
            file.set_mark(value)
            assert file.mark() == value
        volume.rename(file.path, folder + "/renamed")
        assert volume.open(folder + "/renamed").mark() == bytes(range(64))
        file.set_mark(None)
        assert file.mark() is None

    def test_metadata_is_taken_but_not_the_mark(
        self, volume: Volume, folder: str, file: File, facts: Facts
    ) -> None:
        if facts.marks:
            file.set_mark(b"7")
        copy = _made(volume, folder, b"copy")
        copy.take_metadata(file)
        got, wanted = copy.stat(), file.stat()
        assert (got.mode, got.uid, got.gid) == (wanted.mode, wanted.uid, wanted.gid)
        assert copy.mark() is None
        assert copy.read(0, 9) == b"copy"

    def test_facts_are_sane_and_hold_still(self, volume: Volume, folder: str, facts: Facts) -> None:
        assert facts.block_bytes.bit_count() == 1
        assert facts.atom_bytes >= facts.block_bytes
        assert facts.free_bytes >= 0
        assert volume.facts(folder).block_bytes == facts.block_bytes
        assert volume.names(folder) == []  # probing leaves nothing behind

    def test_the_boot_has_one_name(self, volume: Volume) -> None:
        assert volume.boot_id() == volume.boot_id() != ""


def _made(volume: Volume, folder: str, data: bytes) -> File:
    file = volume.open(f"{folder}/file-{next(_numbers)}", create=True)
    file.write(0, data)
    return file


def _run(call: Call, file: File, source: File, model: bytearray, facts: Facts) -> None:
    """Does one call to the file, and the same to the model where the facts allow it."""
    block, end = facts.block_bytes, len(model)
    at = call.at[0] * block + min(call.at[1], block - 1)
    size = call.size[0] * block + min(call.size[1], block - 1)
    if call.name == "write":
        data = bytes([call.fill]) * size
        file.write(at, data)
        _put(model, at, data)
    elif call.name == "copy":
        file.copy_from(source, call.fill, at, size)
        _put(model, at, bytes(range(256)) * 256, Span(call.fill, call.fill + size))
    elif call.name == "resize":
        file.resize(at)
        del model[at:]
        model.extend(bytes(at - len(model)))
    elif call.name == "reserve" and _allowed(facts.reserve, lambda: file.reserve(Span(at, at + size))):
        pass
    elif call.name == "punch":
        hole = Span(min(at, end), min(at + size, end))
        if _allowed(facts.punch, lambda: file.punch(hole)):
            model[hole.start : hole.stop] = bytes(hole.size)
    elif call.name in ("insert", "collapse"):
        at, size = call.at[0] * block, max(call.size[0], 1) * block
        inserts = call.name == "insert"
        change = file.insert if inserts else file.collapse
        # Where it does not fit, the call is undefined; where denied, it is so anywhere.
        if at + (0 if inserts else size) < end and _allowed(facts.ranges, lambda: change(at, size)):
            model[at : at if inserts else at + size] = bytes(size) if inserts else b""
    elif call.name == "sync":
        file.sync()


def _put(model: bytearray, at: int, data: bytes, part: Span | None = None) -> None:
    data = data[part.start : part.stop] if part else data
    if data:
        model.extend(bytes(max(0, at - len(model))))
        model[at : at + len(data)] = data


def _allowed(ability: bool, call: Callable[[], None]) -> bool:
    """Does the call where it must work; elsewhere demands that it is denied."""
    if ability:
        call()
        return True
    with pytest.raises(UnsupportedError):
        call()
    return False


def _assert_holes_are_zeros(file: File, data: bytes) -> None:
    at = 0
    while at < len(data):
        start = file.next_data(at)
        assert at <= start <= len(data)
        assert not any(data[at:start]), f"bytes in the hole at {at}"
        at = max(file.next_hole(start), start)
        assert at > start or at == len(data)
