"""A container runtime's side of CNI, after the reference library: exec, environment, standard input, cached results.

A network is a list of plugins. ADD runs them in order, each with the result of the one before as ``prevResult``; DEL
and CHECK get the final result from the cache; capability arguments become ``runtimeConfig`` where they are declared.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class PluginError(Exception):
    """A plugin ended with an error: its code, message and details."""

    def __init__(self, plugin: str, status: int, output: str, stderr: str) -> None:
        told = json.loads(output) if output.strip() else {}
        self.code = told.get("code", -1)
        self.message: str = told.get("msg", "")
        self.details: str = told.get("details", "")
        self.body: Json = told
        super().__init__(f"{plugin}: status {status}: {output} {stderr}")


def run_here(argv: Sequence[str], env: Mapping[str, str], stdin: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(argv), env=dict(env), input=stdin, capture_output=True, text=True, timeout=90)


class Runtime:
    def __init__(
        self,
        bin_dirs: Sequence[Path | str],
        cache: Path,
        execute: Callable[[Sequence[str], Mapping[str, str], str], subprocess.CompletedProcess[str]] = run_here,
    ) -> None:
        self.path = [str(each) for each in bin_dirs]
        self.cache, self.execute = cache, execute
        cache.mkdir(parents=True, exist_ok=True)

    # ---- what a runtime asks for

    def add(self, network: Json, container: str, netns: str, ifname: str = "eth0", **more: Any) -> Json:
        result: Json | None = None
        for plugin in network["plugins"]:
            result = self.exec_one("ADD", network, plugin, container, netns, ifname, previous=result, **more)
        assert result is not None
        kept = {"network": network, "result": result, "netns": netns, "more": more}
        self._cached(network, container, ifname).write_text(json.dumps(kept))
        return result

    def delete(self, network: Json, container: str, netns: str = "", ifname: str = "eth0", **more: Any) -> None:
        cached = self._cached(network, container, ifname)
        result = json.loads(cached.read_text())["result"] if cached.exists() else None
        for plugin in reversed(network["plugins"]):
            self.exec_one("DEL", network, plugin, container, netns, ifname, previous=result, **more)
        cached.unlink(missing_ok=True)

    def check(self, network: Json, container: str, netns: str, ifname: str = "eth0", **more: Any) -> None:
        result = json.loads(self._cached(network, container, ifname).read_text())["result"]
        for plugin in network["plugins"]:
            self.exec_one("CHECK", network, plugin, container, netns, ifname, previous=result, **more)

    def gc(self, network: Json, valid: Sequence[tuple[str, str]]) -> None:
        """As libcni 1.3: DEL for what is cached and not valid, then GC."""
        listed = [{"containerID": container, "ifname": ifname} for container, ifname in valid]
        for plugin in network["plugins"]:
            self.exec_one("GC", network, plugin, more_config={"cni.dev/valid-attachments": listed or None})

    def status(self, network: Json) -> None:
        for plugin in network["plugins"]:
            self.exec_one("STATUS", network, plugin)

    def version(self, program: str) -> Json:
        env = {"CNI_COMMAND": "VERSION", "CNI_NETNS": "dummy", "CNI_IFNAME": "dummy", "CNI_PATH": "dummy"}
        done = self.execute([self.find(program)], {**env, "CNI_CONTAINERID": ""}, '{"cniVersion":"1.1.0"}')
        answer: Json = json.loads(done.stdout)
        return answer

    def result(self, network: Json, container: str, ifname: str = "eth0") -> Json:
        answer: Json = json.loads(self._cached(network, container, ifname).read_text())["result"]
        return answer

    # ---- one execution

    def exec_one(
        self,
        command: str,
        network: Json,
        plugin: Json,
        container: str = "",
        netns: str = "",
        ifname: str = "",
        *,
        previous: Json | None = None,
        capabilities: Mapping[str, Any] | None = None,
        args: str = "",
        cni_args: Json | None = None,
        more_config: Json | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Json | None:
        config = {**plugin, "name": network["name"], "cniVersion": network["cniVersion"], **(more_config or {})}
        declared = plugin.get("capabilities", {})
        runtime = {key: value for key, value in (capabilities or {}).items() if declared.get(key)}
        if runtime:
            config["runtimeConfig"] = runtime
        if cni_args:
            config["args"] = {"cni": cni_args}
        if previous is not None:
            config["prevResult"] = previous
        given = {"CNI_COMMAND": command, "CNI_PATH": os.pathsep.join(self.path), "PATH": os.environ["PATH"]}
        given |= {"CNI_CONTAINERID": container, "CNI_NETNS": netns, "CNI_IFNAME": ifname, "CNI_ARGS": args}
        done = self.execute([self.find(plugin["type"])], {**given, **(env or {})}, json.dumps(config))
        if done.returncode:
            raise PluginError(plugin["type"], done.returncode, done.stdout, done.stderr)
        answer: Json | None = json.loads(done.stdout) if done.stdout.strip() else None
        return answer

    def find(self, program: str) -> str:
        for directory in self.path:
            if os.access(os.path.join(directory, program), os.X_OK):
                return os.path.join(directory, program)
        raise FileNotFoundError(program)

    def _cached(self, network: Json, container: str, ifname: str) -> Path:
        return self.cache / f"{network['name']}-{container}-{ifname}"


def network(name: str = "red", version: str = "1.0.0", **plugin: Any) -> Json:
    """A list of one plugin of ours."""
    return {"cniVersion": version, "name": name, "plugins": [{"type": "hornpipe", **plugin}]}
