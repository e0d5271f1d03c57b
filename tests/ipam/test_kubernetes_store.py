"""Compare and swap against an API server: overtaken, unanswered, refused, and a release that arrives late."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hornpipe.ipam import kubernetes_store
from hornpipe.ipam.kubernetes_store import Access
from hornpipe.net.prefix import Prefix
from tests.ipam.fake_kubernetes import FakeKubernetes

BLOCK, NEXT = Prefix.parse("10.42.0.0/26"), Prefix.parse("10.42.0.64/26")


async def test_a_claim_that_is_overtaken_sees_the_other(kubernetes: FakeKubernetes) -> None:
    store = kubernetes.store()
    await store.claim("pods", NEXT, "a")

    def faster() -> None:
        kubernetes.before_write = lambda: None
        document = {**kubernetes.objects["hornpipe-ipam-pods"]}
        document["data"] = {**document["data"], "10.42.0.0-26": "b 1"}
        kubernetes.keep("hornpipe-ipam-pods", {**document, "metadata": dict(document["metadata"])}, 200)

    kubernetes.before_write = faster
    assert await store.claim("pods", BLOCK, "a") == "b"
    assert kubernetes.data("pods") == {"10.42.0.64-26": "a", "10.42.0.0-26": "b"}
    await store.close()


async def test_the_object_is_made_once_and_again_after_somebody_deleted_it(kubernetes: FakeKubernetes) -> None:
    store = kubernetes.store()
    await store.claim("pods", BLOCK, "a")
    assert kubernetes.requests == ["GET hornpipe-ipam-pods", "POST"]

    def deletes() -> None:
        kubernetes.objects.clear()
        kubernetes.before_write = lambda: None

    kubernetes.before_write = deletes
    assert await store.claim("pods", NEXT, "a") == "a"
    assert kubernetes.data("pods") == {"10.42.0.64-26": "a"}
    await store.close()


async def test_a_claim_whose_answer_is_lost_is_found(kubernetes: FakeKubernetes) -> None:
    store = kubernetes.store()
    kubernetes.lose_answers = 1
    with pytest.raises(OSError, match="POST"):
        await store.claim("pods", BLOCK, "a")
    assert await store.list("pods") == {BLOCK: "a"}
    await store.close()


async def test_a_late_release_does_not_take_a_new_claim_away(
    kubernetes: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release is sent, held up on its way, and given up; the block is claimed again; then the release arrives."""
    first, again = kubernetes.store(), kubernetes.store()
    with monkeypatch.context() as impatient:
        impatient.setattr(kubernetes_store, "REQUEST_SECONDS", 1.0)
        await first.claim("pods", BLOCK, "a")
    kubernetes.hold = held = asyncio.Event()
    with pytest.raises(OSError, match="PUT"):
        await first.release("pods", BLOCK, "a")
    late = kubernetes.requests.count("PUT hornpipe-ipam-pods")
    assert late == 1
    kubernetes.hold = None
    assert await again.claim("pods", BLOCK, "a") == "a"
    held.set()
    await asyncio.sleep(0.05)
    assert kubernetes.data("pods") == {"10.42.0.0-26": "a"}
    await first.close()
    await again.close()


async def test_a_renewed_token_is_used(kubernetes: FakeKubernetes) -> None:
    store = kubernetes.store()
    await store.claim("pods", BLOCK, "a")
    kubernetes.token = "secret-2"
    assert await store.claim("pods", NEXT, "a") == "a"
    await store.close()


@pytest.mark.parametrize(
    ("refuse", "token", "reason"),
    [
        (None, "wrong", "401 Unauthorized; allow get, create and update of configmaps"),
        (403, None, "403 refused by the test; allow"),
        (500, None, "500 refused by the test"),
        (429, None, "429 refused by the test"),
    ],
)
async def test_refusals_say_why(kubernetes: FakeKubernetes, refuse: int | None, token: str | None, reason: str) -> None:
    kubernetes.refuse = refuse
    store = kubernetes.store(token)
    with pytest.raises(OSError, match=reason):
        await store.claim("pods", BLOCK, "a")
    await store.close()


async def test_an_api_server_that_is_away(kubernetes: FakeKubernetes) -> None:
    store = kubernetes.store()
    await kubernetes.stop()
    with pytest.raises(OSError, match="GET http://127"):
        await store.list("pods")
    await store.close()


async def test_who_is_always_overtaken_gives_up(kubernetes: FakeKubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_store, "TRIES", 3)
    store = kubernetes.store()
    await store.claim("pods", NEXT, "a")

    def busy() -> None:
        kubernetes.version += 1
        kubernetes.objects["hornpipe-ipam-pods"]["metadata"]["resourceVersion"] = str(kubernetes.version)

    kubernetes.before_write = busy
    with pytest.raises(OSError, match="overtaken 3 times"):
        await store.claim("pods", BLOCK, "a")
    await store.close()


async def test_data_that_is_no_claim_is_named(kubernetes: FakeKubernetes) -> None:
    store = kubernetes.store()
    await store.claim("pods", BLOCK, "a")
    kubernetes.objects["hornpipe-ipam-pods"]["data"]["note"] = "hello"
    with pytest.raises(OSError, match=r"ConfigMap hornpipe-ipam-pods: 'note': 'hello' is not a claim"):
        await store.claim("pods", NEXT, "a")
    await store.close()


def test_access_from_the_environment(tmp_path: Path) -> None:
    assert Access.in_cluster({}, tmp_path) is None
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    assert Access.in_cluster(environ, tmp_path) is None
    (tmp_path / "token").write_text("one\n")
    (tmp_path / "namespace").write_text("net\n")
    (tmp_path / "ca.crt").write_text(CERTIFICATE)
    access = Access.in_cluster(environ, tmp_path)
    assert access is not None
    assert (access.url, access.namespace, access.token()) == ("https://[fd00::1]:6443", "net", "one")
    assert access.context is not None
    (tmp_path / "token").write_text("two\n")
    assert access.token() == "two"


CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIURi7hWGX8zZsfNHQACpwcfXnmjvEwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjAxMzE5MzJaGA8yMTI2MTAyNzEzMTkz
MlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCt/
ZSeBn4WVHx7wO2RGtk2q8YpJh0XkpHDjysleJTOaoq2iajyczJWW9v23ysiGQMaC
NLbry/oOwOQlvDy+EFijUzBRMB0GA1UdDgQWBBQHDnOtUkWFeWR+caP5tFw+5Tpg
ejAfBgNVHSMEGDAWgBQHDnOtUkWFeWR+caP5tFw+5TpgejAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIDKYOZvIx0CwGutkdrZEZROG86I5Fl8+6kJv
Mq5ITKRhAiEApqKbBTWj1/Bt5I/c6z+BP6Yt4e65uip1YNkds/MbieQ=
-----END CERTIFICATE-----
"""
