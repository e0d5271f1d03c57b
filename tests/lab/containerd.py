"""containerd on a host of the lab: its own root and socket, an image made here, what it needs to run in a sandbox."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

from hornpipe.demo.until import until
from tests.lab.containers import BIN, REFERENCE, Cni
from tests.lab.cri import Cri, CriError

ROOT = "/run/containerd-lab"
IMAGE = "docker.io/lab/box:1"
BUSYBOX = "/bin/busybox"
CONFIG = f"""
version = 2
root = "{ROOT}/root"
state = "{ROOT}/state"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
address = "{ROOT}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
restrict_oom_score_adj = true
disable_cgroup = true
sandbox_image = "{IMAGE}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{BIN}"
conf_dir = "/run/cni/net.d"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
base_runtime_spec = "{ROOT}/spec.json"
"""


class Containerd:
    def __init__(self, cni: Cni) -> None:
        self.cni, self.host = cni, cni.host
        self.host.shell("mount -t cgroup2 none /sys/fs/cgroup")
        shutil.copy(f"{REFERENCE}/loopback", self.host.path(f"{BIN}/loopback"))
        self.host.write(f"{ROOT}/config.toml", CONFIG)
        spec = json.loads(self.host.run("ctr", "oci", "spec").stdout)
        del spec["process"]["rlimits"]  # raising them needs what a sandbox's root has not
        self.host.write(f"{ROOT}/spec.json", json.dumps(spec))
        self.cri = Cri(self.host.path(f"{ROOT}/containerd.sock"))

    def network(self, network: dict[str, Any]) -> None:
        document = {**network, "cniVersion": "1.0.0", "cniVersions": ["0.4.0", "1.0.0", "1.1.0"]}
        self.host.write(f"/run/cni/net.d/10-{network['name']}.conflist", json.dumps(document))

    def start(self) -> None:
        self.process = self.host.spawn("containerd", "--config", f"{ROOT}/config.toml")
        until("containerd answers", self._answers)
        archive = Path(self.host.path(f"{ROOT}/image.tar"))
        archive.write_bytes(image())
        words = ("-a", f"{ROOT}/containerd.sock", "-n", "k8s.io", "images", "import", "--snapshotter", "native")
        self.host.run("ctr", *words, f"{ROOT}/image.tar")

    def _answers(self) -> bool:
        try:
            self.cri.network_ready()
        except (CriError, KeyError):
            return False
        return True

    def namespaces(self) -> list[str]:
        """Of the pods, as containerd names them."""
        directory = Path(self.host.path("/run/netns"))
        return sorted(name for name in os.listdir(directory) if name.startswith("cni-"))

    def pings(self, namespace: str, address: str) -> None:
        until(f"{namespace} pings {address}", lambda: self.host.ping(address, netns=namespace), every=0.1)


def image() -> bytes:
    """A Docker archive of one layer: busybox, and as command a long sleep."""
    layer = _tar({"bin/busybox": (Path(BUSYBOX).read_bytes(), 0o755)})
    config = {
        "architecture": "amd64" if os.uname().machine == "x86_64" else "arm64",
        "os": "linux",
        "config": {"Entrypoint": ["/bin/busybox", "sleep", "100000"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    files = {
        "config.json": (json.dumps(config).encode(), 0o644),
        "layer.tar": (layer, 0o644),
        "manifest.json": (json.dumps(manifest).encode(), 0o644),
    }
    return _tar(files)


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    done = io.BytesIO()
    with tarfile.open(fileobj=done, mode="w") as archive:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return done.getvalue()
