"""What comes from elsewhere into static/vendor is what its README says, byte for byte, with a licence beside it."""

import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "static" / "vendor"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.name != "README" and path.suffix != ".LICENSE")
_ENTRY = re.compile(r"^(\S+)\n((?:  \w+ .*\n)+)", re.MULTILINE)
ENTRIES: dict[str, str] = dict(_ENTRY.findall((FOLDER / "README").read_text()))
LOCKED = json.loads((ROOT / "package-lock.json").read_text())["packages"]


def test_every_file_has_its_entry():
    assert sorted(ENTRIES) == FILES
    assert len(FILES) >= 4


def test_each_file_is_as_recorded():
    for name, entry in ENTRIES.items():
        assert f"sha256 {hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()}\n" in entry, name


def test_each_file_has_its_licence_beside_it():
    for name, entry in ENTRIES.items():
        licences = re.findall(r"\S+\.LICENSE", entry)
        assert licences, name
        assert all((FOLDER / licence).read_text() for licence in licences), name


def test_what_npm_packed_is_of_the_locked_packages():
    for package, version, integrity in re.findall(r"Package  (\S+) (\S+) (sha512-\S+)", "".join(ENTRIES.values())):
        locked = LOCKED[f"node_modules/{package}"]
        assert (locked["version"], locked["integrity"]) == (version, integrity), package
