"""Who wants which way, and what is told when it changes."""

from __future__ import annotations

import pytest

from hornpipe.forwarding.underlay import Underlay, Way

PE1, PE2 = bytes([10, 0, 0, 2]), bytes([10, 0, 0, 3])
WAY = Way("eth0", bytes([192, 0, 2, 1]), 1500)


def test_an_address_is_asked_for_once_however_many_want_it() -> None:
    underlay = Underlay()
    underlay.want(PE1)
    underlay.want(PE1)
    assert underlay.has_new
    assert underlay.take_wanted() == [PE1]
    assert not underlay.has_new
    assert underlay.reason(PE1) == "the way to 10.0.0.2 is not looked up yet"
    assert underlay.tell({PE1: WAY}) == [PE1]
    assert underlay.way(PE1) == WAY
    assert underlay.reason(PE1) == ""
    underlay.unwant(PE1)
    assert underlay.way(PE1) == WAY
    underlay.unwant(PE1)
    assert underlay.way(PE1) is None
    assert len(underlay) == 0
    with pytest.raises(KeyError):
        underlay.unwant(PE1)


def test_only_changes_are_told() -> None:
    underlay = Underlay()
    underlay.want(PE1)
    underlay.want(PE2)
    assert underlay.tell({PE1: WAY, PE2: None}) == [PE1, PE2], "that there is none is news at first"
    assert underlay.reason(PE2) == "no route to 10.0.0.3"
    assert underlay.tell({PE1: WAY, PE2: None}) == []
    assert underlay.tell({PE1: WAY._replace(mtu=9000), PE2: None}) == [PE1]


def test_what_nobody_wants_any_longer_is_not_told() -> None:
    underlay = Underlay()
    underlay.want(PE1)
    underlay.unwant(PE1)
    assert underlay.take_wanted() == []
    assert underlay.tell({PE1: WAY}) == []
    assert underlay.way(PE1) is None
