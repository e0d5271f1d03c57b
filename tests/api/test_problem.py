from __future__ import annotations

import msgspec
import pytest

from hornpipe.api.problem import TITLES, Problem, of_refused, of_validation
from hornpipe.vpn.spec import Refused, SourceSpec


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b'{"ports": [{"name": "x", "instance": 5}]}', "ports[...].instance"),
        (b'{"ports": [{"name": "x"}]}', "ports[...].instance"),
        (b'{"porst": []}', "porst"),
        (b'{"generation": "x"}', "generation"),
        (b"[]", ""),
        (b"{", ""),
    ],
)
def test_validation_names_the_member(text: bytes, field: str) -> None:
    with pytest.raises(msgspec.MsgspecError) as caught:
        msgspec.json.decode(text, type=SourceSpec)
    problem = of_validation(caught.value)
    assert problem.field == field.replace("[...]", "[0]") or problem.field == field
    assert problem.status == 400
    assert "`$" not in problem.detail


@pytest.mark.parametrize(
    ("kind", "status"),
    [("invalid", 400), ("conflict", 409), ("missing", 404), ("unsupported", 422), ("busy", 503)],
)
def test_refusals_have_a_status(kind: str, status: int) -> None:
    problem = of_refused(Refused("ports[0].mac", "is wrong", "mend it", kind))  # type: ignore[arg-type]
    assert problem.status == status
    body = problem.body()
    assert (body.field, body.detail, body.remedy) == ("ports[0].mac", "is wrong", "mend it")


def test_types_are_urns() -> None:
    for kind in TITLES:
        assert Problem(kind, "x").body().type == f"urn:hornpipe:problem:{kind}"
