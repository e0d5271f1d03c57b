"""The project's own files keep their promises."""

from __future__ import annotations

import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_lock_names_no_index_and_checks_everything() -> None:
    text = (ROOT / "requirements-dev.lock").read_text()
    assert "://" not in text
    assert "index" not in text
    requirements = re.split(r"\n(?=\S)", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    assert len(requirements) > 30
    for requirement in requirements:
        assert "--hash=sha256:" in requirement, requirement


def test_the_lock_has_every_dependency() -> None:
    locked = set(re.findall(r"(?m)^([a-z0-9-]+)==", (ROOT / "requirements-dev.lock").read_text()))
    for requirement in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]:
        name = re.match(r"[A-Za-z0-9_.-]+", requirement)
        assert name is not None
        assert name[0].lower().replace("_", "-") in locked


@pytest.mark.parametrize(("command", "target"), PROJECT["scripts"].items())
def test_commands_exist(command: str, target: str) -> None:
    module, _, name = target.partition(":")
    assert callable(getattr(importlib.import_module(module), name)), command


def test_dev_explains_itself_and_refuses_what_it_does_not_know() -> None:
    known = subprocess.run([ROOT / "dev"], capture_output=True, text=True)
    assert known.returncode == 0
    for command in ("setup", "check", "test", "demo", "bench", "fuzz"):
        assert re.search(rf"(?m)^  {command} ", known.stdout), command
    unknown = subprocess.run([ROOT / "dev", "tset"], capture_output=True, text=True)
    assert unknown.returncode == 1
    assert "unknown command: tset" in unknown.stderr


def test_set_up_again_does_nothing() -> None:
    if not (ROOT / ".venv" / ".hornpipe-setup").exists():
        pytest.skip("unavoidable: this checkout was not set up by ./dev")
    done = subprocess.run([ROOT / "dev", "setup"], check=True, capture_output=True, text=True)
    assert "ready: " in done.stderr
    assert "making" not in done.stderr
    assert "installing" not in done.stderr


def test_the_documents_links_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    for document in documents:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_source_files_hold_one_thing_and_say_what() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text()
        assert text.count("\n") <= 450, f"{path}: too long"
        assert path.stem not in {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}, path
        if path.name != "__init__.py":
            assert text.startswith('"""'), f"{path}: no docstring"
