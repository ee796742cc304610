"""What clears a super-journal away takes nothing else along, whatever it is told."""

from __future__ import annotations

import pytest

from insitu.core.facts import Facts
from insitu.engine.site import Site
from insitu.engine.super_journal import Participant, SuperJournal, settle, settle_all
from insitu.testing.simulated import SimulatedVolume

ID = "0123456789abcdef" * 2
FACTS = Facts(block_bytes=8, atom_bytes=8)


def volume_with() -> tuple[SimulatedVolume, Site]:
    volume = SimulatedVolume({"/d/f": b"f"}, FACTS)
    site = Site.of(volume, "/d/f")
    site.prepare(site.status())
    return volume, site


@pytest.mark.parametrize("home", ["../../../c", "/c", "../../../c/.insitu/f.d"])
def test_what_a_pointer_leads_to_elsewhere_and_is_none_is_left(home: str) -> None:
    files = {f"/c/{ID}.undecided": b"theirs", f"/c/.insitu/f.d/{ID}.undecided": b"theirs"}
    volume = SimulatedVolume({"/d/f": b"f", **files}, FACTS)
    site = Site.of(volume, "/d/f")
    site.prepare(site.status())
    settle(site, {"id": ID, "home": home})
    assert files.items() <= volume.contents().items()


def test_one_that_was_never_whole_goes_from_the_own_folder_and_others_stay() -> None:
    volume, site = volume_with()
    names = [ID + ".undecided", ID + ".committed", "notes.undecided"]
    for name in names:
        volume.open(f"{site.state}/{name}", create=True).close()
    settle_all(site, names)
    assert volume.names(site.state) == sorted(names[1:])


@pytest.mark.parametrize("state", ["/c/.insitu/g.d", "/c/.insitu/f.d", "/c", "/d/.insitu/g.d", "/d/.insitu"])
def test_one_that_names_a_folder_which_is_not_its_files_own_clears_nothing(state: str) -> None:
    volume, site = volume_with()
    volume.make_folder("/c", site.status())
    volume.make_folder("/c/.insitu", site.status())
    volume.make_folder(state, site.status())
    home = SuperJournal(site, ID)
    home.write([Participant(Site(volume, "/d/f", state, True), 7)])
    settle(site, {"id": ID, "home": "."})
    assert volume.stat(state) is not None
    assert volume.names(site.state) == [ID + ".undecided"]


def test_one_that_nobody_waits_for_goes() -> None:
    volume, site = volume_with()
    SuperJournal(site, ID).write([Participant(site, 7)])
    settle(site, {"id": ID, "home": "."})
    assert volume.contents().keys() == {"/d/f"}
