"""Where the demonstration of routed VPNs runs, and what is said where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from hornpipe.demo import guest, main

LACKED = {"vrf": "module vrf (CONFIG_NET_VRF)", "gre": "module ip_gre (CONFIG_NET_IPGRE)"}


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """A kernel that lacks something; where the demonstration went."""
    went: list[tuple[str, object]] = []
    monkeypatch.setattr(guest, "lacking", lambda needed: LACKED)
    monkeypatch.setattr(guest, "become", lambda root, command, interactive: went.append(("guest", interactive)))
    monkeypatch.setattr(main.sandbox, "run", lambda command: went.append(("sandbox", command)) or 0)
    return went


def test_from_a_checkout_in_a_guest(placed: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "obstacles", lambda root: [])
    main.outside(l3=True, shell=True)
    assert placed[0] == ("guest", True)


def test_the_kernel_has_it_all(placed: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "lacking", lambda needed: {})
    assert main.outside(l3=True, shell=False) == 0
    assert [place for place, _ in placed] == ["sandbox"]


def test_installed_without_a_checkout(
    placed: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guest, "checkout", lambda: None)
    assert main.outside(l3=True, shell=False) == 1
    assert placed == []
    said = capsys.readouterr().err
    assert "has no vrf, gre\n" in said
    assert "module ip_gre (CONFIG_NET_IPGRE)" in said
    assert "./dev demo --l3" in said


def test_a_checkout_without_the_guests_kernel(
    placed: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guest, "KERNEL", "/nowhere/linux.uml")
    monkeypatch.setattr(guest, "checkout", lambda: Path("/nowhere"))
    assert main.outside(l3=True, shell=False) == 1
    assert placed == []
    assert "apt-get install user-mode-linux kmod (/nowhere/linux.uml is missing)" in capsys.readouterr().err


def test_frr_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(main, "daemons_directory", lambda: None)
    assert main.main(["--l3"]) == 1
    assert "apt-get install frr" in capsys.readouterr().err
    assert main.missing(l3=False) == []


def test_this_is_a_checkout() -> None:
    root = guest.checkout()
    assert root is not None
    assert (root / "dev").exists()
