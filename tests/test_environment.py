"""Settings from the environment: what is wrong stops the start with one line that shows no value."""

import os
import re
import subprocess
import sys
import tempfile
from ipaddress import ip_network
from pathlib import Path

import pytest

from portal import environment
from portal.local import files

ROOT = Path(__file__).resolve().parent.parent
SECRET = "s3cr3t-value"


@pytest.fixture
def read(monkeypatch):
    def read(reader, value, **options):
        monkeypatch.setenv("NAME", value)
        return getattr(environment, reader)("NAME", **options)

    return read


EMPTY, NUMBER, DAYS = {"default": ""}, {"default": 1, "least": 0, "most": 2}, {"least": 7, "most": 9}
PLAIN, TLS, HOST = {"may_be_plain": True}, {"may_be_plain": False}, {"host": "portal.example"}
WRONG = [
    ("read_text", {}, [f"{SECRET}\nsecond line"]),
    ("read_secret", {}, [SECRET, f"{SECRET},{SECRET},{SECRET}", "x" * 50, f"django-insecure-{SECRET * 3}"]),
    ("read_secret", {"least": 50}, [SECRET * 3]),
    ("read_networks", EMPTY, [f"proxy-{SECRET}", "10.0.0.2/16", "fe80::1%eth0", "*"]),
    ("read_flag", {"default": False}, [f"maybe-{SECRET}"]),
    ("read_number", NUMBER, [SECRET, "3", "nan"]),
    ("read_timing", {"default": 1}, ["0", "2592001"]),
    ("read_whole_number", NUMBER, ["1.5"]),
    ("read_days", DAYS, ["6", "10", "7.5"]),
    ("read_url", EMPTY, [f"ftp://{SECRET}", f"https://user:{SECRET}@host/", "http://provider.example/v1"]),
    ("read_stream", TLS, [SECRET, "stdout:x", "file:log", "file://host/log", "syslog://127.0.0.1:514"]),
    ("read_stream", TLS, ["syslog+unix:///dev/log?x", "syslog+tls://host", "http://127.0.0.1/", "https://host/a b"]),
    ("read_stream", PLAIN, ["http://host/"]),
    ("read_address", EMPTY, [SECRET, "localhost", "127.0.0.1:8000", "[::1]:8000", "[127.0.0.1", "10.0.0.0/8"]),
    ("read_hosts", EMPTY, ["*.com", "*.com:8443", "*"]),
    ("read_time_zone", {"default": "UTC"}, [f"Mars/{SECRET}"]),
    ("read_database", EMPTY, [f"rubbish {SECRET}", f"mysql://user:{SECRET}@host/name", "sqlite://:memory:"]),
    ("read_database", EMPTY, [f"postgres://user:{SECRET}@host:port/name"]),
    ("read_origin", TLS, [SECRET, "http://127.0.0.1", f"https://portal.example/{SECRET}", f"https://{SECRET}@host"]),
    ("read_origin", PLAIN, ["https://host:port", "https://host?x", "https://a b", "ftp://host"]),
    ("read_mail", HOST, [SECRET, f"http://user:{SECRET}@host", f"smtp://user:{SECRET}@", "smtp://host:port"]),
    ("read_mail", HOST, ["smtp://host/path", "smtp://host?from=nobody", "memorymail://host", "smtps://host"]),
]


@pytest.mark.parametrize(
    ("reader", "options", "value"), [(reader, options, value) for reader, options, values in WRONG for value in values]
)
def test_a_wrong_value_stops_with_one_line_that_does_not_show_it(read, reader, value, options):
    with pytest.raises(SystemExit) as stop:
        read(reader, value, **options)
    line = str(stop.value)
    assert line.startswith("portal: NAME ")
    assert "\n" not in line
    assert SECRET not in line


STREAMS = ["", "stdout:", "file:///var/log/portal", "syslog+unix:///dev/log", "syslog+tls://[::1]:6514"]
STREAMS += ["https://host:8443/events?from=portal", "https://host", "http://127.0.0.1:8088/"]
NETWORKS = ["10.0.0.2", "10.1.0.0/16", "::1"]
GOOD: list[tuple[str, dict, dict[str, object]]] = [
    ("read_text", {}, {"  $x \n": "$x"}),
    ("read_text", {"default": "d"}, {"": "d"}),
    ("read_secret", {}, {"": "", "0123456789abcdef" * 2: "0123456789abcdef" * 2}),
    ("read_networks", EMPTY, {"10.0.0.2, 10.1.0.0/16,::1": [ip_network(network) for network in NETWORKS]}),
    ("read_stream", PLAIN, {value: value for value in STREAMS}),
    ("read_flag", {"default": True}, {"": True, "OFF": False}),
    ("read_number", NUMBER, {"0.5": 0.5}),
    ("read_whole_number", NUMBER, {"2": 2}),
    ("read_days", DAYS, {"": None, " 7 ": 7}),
    ("read_list", {}, {" a, ,b ": ["a", "b"]}),
    ("read_hosts", EMPTY, {"*.a.example:*, b": ["*.a.example:*", "b"]}),
    ("read_address", {"default": "127.0.0.1"}, {"": "127.0.0.1"}),
    ("read_address", EMPTY, {"10.0.0.3": "10.0.0.3", "::1": "[::1]", "[2001:DB8::1]": "[2001:db8::1]"}),
    ("read_time_zone", {"default": "UTC"}, {"Europe/Rome": "Europe/Rome"}),
    ("read_url", EMPTY, {"https://api.example/v1/": "https://api.example/v1"}),
    ("read_url", EMPTY, {"http://127.0.0.1:8001/v1": "http://127.0.0.1:8001/v1"}),
    ("read_origin", TLS, {"": "", "https://portal.example/": "https://portal.example"}),
    ("read_origin", PLAIN, {url: url for url in ("http://ws-1.localhost:8000", "http://[::1]")}),
]


def test_a_mail_server_is_read(read):
    mailers, sender = read("read_mail", "smtp+tls://us%40er:p%2Fw@mail.example:2525?from=team@x.example", **HOST)
    options = mailers["default"]["OPTIONS"]
    assert sender == "team@x.example"
    told = [options[name] for name in ("host", "port", "username", "password")]
    assert told == ["mail.example", 2525, "us@er", "p/w"]
    assert options["timeout"] == 60, "it may look at a mail before it answers"
    for scheme, tls in {"smtp": (False, False), "smtp+tls": (True, False), "smtp+ssl": (False, True)}.items():
        mailers, sender = read("read_mail", f"{scheme}://mail.example", **HOST)
        options = mailers["default"]["OPTIONS"]
        assert (options["use_tls"], options["use_ssl"]) == tls
        assert (options["port"], sender) == (None, "portal@portal.example")
    assert read("read_mail", "", **HOST) == ({}, "")


@pytest.mark.parametrize(
    ("reader", "options", "value", "result"),
    [(reader, options, *pair) for reader, options, results in GOOD for pair in results.items()],
)
def test_a_good_value_is_read(read, reader, value, options, result):
    assert read(reader, value, **options) == result


def test_a_value_may_come_from_a_file(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.setenv("KEPT_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("GONE_FILE", str(tmp_path / "no"))
    assert environment.read_text("KEPT") == "from-a-file"
    with pytest.raises(SystemExit, match="GONE_FILE"):
        environment.read_text("GONE")


def test_a_secret_key_is_made_once_and_only_for_its_owner(tmp_path):
    path = tmp_path / "new" / "secret_key"
    first = files.read_or_make_key(path)
    files._make(path, "another")  # as a process that started at the same moment
    assert files.read_or_make_key(path) == first
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_host_name_is_made_once_and_only_for_its_owner(tmp_path):
    path = tmp_path / "local_host"
    first = files.read_or_make_host(path)
    assert re.fullmatch(r"ws-[a-z0-9]{8}\.localhost", first)
    assert files.read_or_make_host(path) == first
    assert files.read_or_make_host(tmp_path / "another") != first
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("portal.example")
    with pytest.raises(SystemExit, match="nothing that can be used"):
        files.read_or_make_host(path)


def test_files_that_others_could_read_are_closed(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    names = ("portal.sqlite3", "portal.sqlite3-identity", "secret_key")
    for name in names:
        (folder / name).touch()
        (folder / name).chmod(0o644)
    (folder / "secret_key").write_text("0123456789abcdef" * 4)
    start(PORTAL_LOCAL="1", DATABASE_URL=f"sqlite:///{folder}/portal.sqlite3", SECRET_KEY="")
    assert {name: (folder / name).stat().st_mode & 0o777 for name in names} == dict.fromkeys(names, 0o600)
    # A folder that the portal does not own may be shared.
    assert folder.stat().st_mode & 0o777 == 0o755


def test_the_portals_own_folder_is_closed_too(tmp_path):
    for path in (tmp_path / "data", tmp_path / "data" / "sandbox.sqlite3"):
        path.mkdir() if path.name == "data" else path.touch()
        path.chmod(0o755)
    umask = os.umask(0o022)
    files.protect_files(database=tmp_path / "data" / "portal.sqlite3", owned=tmp_path / "data")
    assert os.umask(umask) == 0o077
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "sandbox.sqlite3").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def folder():
    """A folder to which other users come; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to somebody else")
def test_a_secret_key_of_somebody_else_that_others_can_read_stops(folder):
    folder.chmod(0o755)
    path = folder / "secret_key"
    path.write_text("0123456789abcdef" * 4)
    path.chmod(0o644)
    code = "import pathlib, sys; from portal.local import files; files.read_or_make_key(pathlib.Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, user=65534)
    assert done.stderr.startswith("portal: other users can read")


def test_an_unusable_secret_key_stops(tmp_path):
    (tmp_path / "short").write_text("abc")
    (tmp_path / "short").chmod(0o600)
    with pytest.raises(SystemExit, match="nothing that can be used"):
        files.read_or_make_key(tmp_path / "short")
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="cannot be written"):
        files.read_or_make_key(tmp_path / "file" / "secret_key")


def start(**variables: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check` with these variables and none of the tests' own."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, cwd=ROOT, env=kept | variables, capture_output=True, text=True, check=False)


PRODUCTION = {
    "SECRET_KEY": "".join(map(str, range(40))) + "abcdef",
    "AGENTSTATION_API_KEY": "a-key",
    "ALLOWED_HOSTS": "portal.example",
    "DATABASE_URL": "postgres://portal@127.0.0.1:5432/portal",
}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PORTAL_LOCAL": "1", "PORTAL_BIND": "0.0.0.0"}, "PORTAL_BIND must be an address of this machine alone"),
        (PRODUCTION | {"SECRET_KEY": ""}, "SECRET_KEY is not set."),
        (PRODUCTION | {"AGENTSTATION_API_KEY": ""}, "AGENTSTATION_API_KEY is not set."),
        (PRODUCTION | {"EMAIL_URL": "smtp://mail.example"}, "EMAIL_URL needs PORTAL_URL"),
        (PRODUCTION | {"PORTAL_URL": "http://portal.example"}, "PORTAL_URL must be"),
    ],
)
def test_what_must_not_be_stops_the_start_with_one_line(variables, words):
    done = start(**variables)
    assert done.returncode != 0
    assert done.stderr.startswith(f"portal: {words}")
    assert done.stderr.count("\n") == 1


def test_production_settings_pass_unless_everybody_may_read_a_secret_in_its_file(tmp_path):
    path = tmp_path / "key"
    path.write_text(PRODUCTION["SECRET_KEY"])
    others = {name: value for name, value in PRODUCTION.items() if name != "SECRET_KEY"}
    others |= {"PORTAL_URL": "https://portal.example", "EMAIL_URL": "smtp+tls://mail.example"}
    for mode, word in ((0o600, ""), (0o644, "SECRET_KEY_FILE")):
        path.chmod(mode)
        done = start(**others, SECRET_KEY_FILE=str(path))
        assert (done.returncode, word in done.stderr) == (1 if word else 0, True), done.stderr
