from __future__ import annotations

from pathlib import Path

import pytest

from hornpipe.cni import masquerade
from hornpipe.cni.masquerade import Masquerade, script


def test_a_rule_a_subnet_in_one_transaction() -> None:
    text = script(["fd00:1::/64", "10.1.0.0/24"])
    assert text.splitlines() == [
        "add table inet hornpipe-cni",
        "delete table inet hornpipe-cni",
        "table inet hornpipe-cni {",
        "chain postrouting {",
        "type nat hook postrouting priority srcnat;",
        "ip saddr 10.1.0.0/24 ip daddr != { 10.1.0.0/24, 224.0.0.0/4 } masquerade",
        "ip6 saddr fd00:1::/64 ip6 daddr != { fd00:1::/64, ff00::/8 } masquerade",
        "}",
        "}",
    ]


def test_without_subnets_there_is_no_table() -> None:
    assert script([]).splitlines() == ["add table inet hornpipe-cni", "delete table inet hornpipe-cni"]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []

    async def nft(text: str) -> None:
        texts.append(text)

    monkeypatch.setattr(masquerade, "_nft", nft)
    return texts


async def test_only_a_new_set_of_subnets_starts_a_process(written: list[str], tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    one = Masquerade(mark)
    await one.restore({})
    assert written == []
    for name in ("a", "b", "c"):
        await one.put(name, ["10.1.0.0/24"])
    assert written == [script(["10.1.0.0/24"])]
    assert mark.exists()
    await one.put("d", ["10.2.0.0/24"])
    for name in ("a", "b", "d", "d"):
        await one.put(name, ())
    assert written[1:] == [script(["10.1.0.0/24", "10.2.0.0/24"]), script(["10.1.0.0/24"])]
    await one.put("c", ())
    assert written[3:] == [script([])]
    assert not mark.exists()


async def test_after_a_crash_what_the_kernel_may_have_is_replaced(written: list[str], tmp_path: Path) -> None:
    (tmp_path / "mark").touch()
    await Masquerade(tmp_path / "mark").restore({})
    assert written == [script([])]
