"""The part of a storage's contract that keeps others out: locks, leases, and the queue of those who wait."""

from __future__ import annotations

import threading

import pytest

from insitu.core.facts import Facts
from insitu.errors import LockedError, UnsupportedError
from insitu.storage.base import File, Volume


class LockingContract:
    """Tests with the fixtures of ``StorageContract``, which inherits them."""

    def test_a_lock_excludes_every_other_opening(self, volume: Volume, file: File, facts: Facts) -> None:
        if not facts.locks:
            with pytest.raises(UnsupportedError):
                file.lock()
            return
        other = volume.open(file.path, write=True)
        assert file.lock()
        assert not other.lock()
        file.unlock()
        assert other.lock()
        assert not file.lock()
        other.close()
        assert file.lock()

    def test_a_lock_is_on_the_file_not_on_its_name(
        self, volume: Volume, folder: str, file: File, facts: Facts
    ) -> None:
        if not facts.locks:
            pytest.skip("this storage has no locks")
        assert file.lock()
        volume.rename(file.path, folder + "/renamed")
        assert not volume.open(folder + "/renamed", write=True).lock()
        assert volume.open(file.path, create=True).lock()

    def test_a_lease_keeps_every_other_opening_out(self, volume: Volume, file: File, facts: Facts) -> None:
        if not facts.leases:
            with pytest.raises(UnsupportedError):
                file.lease(0.0)
            assert not file.release()
            return
        other = volume.open(file.path)
        assert file.lease(0.0) == "in use"
        assert not file.release()
        other.close()
        assert file.lease(0.0) == "held"
        let_in: list[bool] = []

        def come() -> None:
            try:
                volume.open(file.path).close()
                let_in.append(released)
            except LockedError:  # some storages do not wait
                let_in.append(True)

        released = False
        coming = threading.Thread(target=come)
        coming.start()
        coming.join(0.05)
        released = True
        assert file.release()
        assert not file.release()
        coming.join()
        assert let_in == [True]
        volume.open(file.path).close()

    def test_closing_gives_a_lease_back(self, volume: Volume, file: File, facts: Facts) -> None:
        if not facts.leases:
            pytest.skip("this storage has no leases")
        assert file.lease(0.0) == "held"
        file.close()
        volume.open(file.path).close()

    def test_a_queue_keeps_the_order_or_nobody_waits_in_it(self, volume: Volume, file: File) -> None:
        one, two, three, late = (volume.queue(file.path) for _ in range(4))
        assert late.first()
        for queue in (one, two, three):
            queue.join()
        kept = not late.first()
        assert [queue.first() for queue in (one, two, three)] == [True, not kept, not kept]
        two.close()
        assert [queue.first() for queue in (one, three)] == [True, not kept]
        one.close()
        assert three.first()
        late.join()
        assert late.first() == (not kept)
        new = volume.queue(file.path)
        assert new.first() == (not kept)
        ahead = volume.queue(file.path)
        ahead.join(ahead=True)
        assert ahead.first()
        assert three.first() == (not kept)
        for queue in (ahead, three):
            queue.close()
        assert late.first()
        late.close()
        assert new.first()
        new.close()
        again = volume.queue(file.path)
        assert again.first()
        again.close()

    def test_queues_of_two_files_are_two(self, volume: Volume, folder: str, file: File) -> None:
        volume.open(folder + "/other", create=True).close()
        one, other = volume.queue(file.path), volume.queue(folder + "/other")
        one.join()
        assert other.first()
        one.close()
        other.close()
