"""The files that pip installs from: everything is pinned, with hashes, and is what pyproject.toml asks for."""

import json
import re
import tomllib

import pytest

from tests.gunicorn_server import ROOT

GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
FILES = {
    "service": "requirements.txt",
    "postgresql": "requirements-postgresql.txt",
    "tests": "tests/requirements.txt",
}


def pinned(file: str) -> dict[str, tuple[str, int]]:
    """The version of each package, and how many hashes it has. Fails for any line that is neither."""
    found = {}
    for entry in (ROOT / file).read_text().replace("\\\n", "").splitlines():
        if not entry.startswith("#"):
            match = re.fullmatch(r"([a-z0-9.-]+)==(\S+)( ; [^;]+?)?((?: +--hash=sha256:[0-9a-f]{64})+)", entry)
            assert match, entry
            found[match[1]] = match[2], match[4].count("--hash")
    return found


@pytest.mark.parametrize("group, file", FILES.items())
def test_every_package_is_pinned_with_hashes_and_no_place_to_take_it_from_is_named(group, file):
    assert all(hashes for _, hashes in pinned(file).values())
    assert "://" not in (ROOT / file).read_text()


@pytest.mark.parametrize("group, file", FILES.items())
def test_the_requirements_are_those_that_make_lock_writes_for_pyproject(group, file):
    asked = dict(package.split("==") for package in GROUPS[group] if isinstance(package, str))
    locked = {name: version for name, (version, _) in pinned(file).items()}
    assert asked.items() <= locked.items()


def test_a_package_has_the_same_files_in_all_requirements():
    everything = pinned("tests/requirements.txt")
    for file in FILES.values():
        assert pinned(file).items() <= everything.items()


def test_what_comes_by_npm_has_hashes_and_no_place_to_take_it_from_either():
    text = (ROOT / "tests/browser/package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    asked = json.loads((ROOT / "tests/browser/package.json").read_text())["dependencies"]
    assert packages.pop("")["dependencies"] == asked
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert {name: packages[f"node_modules/{name}"]["version"] for name in asked} == asked
    assert "://" not in text
