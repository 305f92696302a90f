"""The shape of the code: who may import whom, how large things may be, how services are called."""

import ast
import graphlib
import io
import statistics
import sys
import tokenize
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORTAL = ROOT / "portal"
MODULES = sorted(path for path in PORTAL.rglob("*.py") if "migrations" not in path.parts)

# What each part may import of the portal. Parts are the first name below `portal`.
MAY_IMPORT: dict[str, set[str]] = {
    "agentstation": {"agentstation"},
    "sandbox": {"sandbox"},
    "environment": set(),
    "local": {"local", "environment"},
    "checks": {"environment", "db"},
    "web": {"web", "environment", "settings", "services", "models"},
    "failures": {"failures", "agentstation"},
    "db": {"db"},
    "models": {"models", "failures"},
    "services": {"services", "models", "failures", "agentstation", "db", ""},
    "worker": {"worker", "services", "agentstation", "db", ""},
    "forms": {"forms", "models", "failures"},
    "templatetags": {"templatetags", "models", "failures"},
    "views": {"views", "web", "forms", "services", "failures", "models", "templatetags", "sandbox", "db", ""},
    "api": {"api", "web", "services", "failures", "models", "db"},
    "accounts": {"accounts", "environment", "views", "web", "forms", "services", "models"},
    "admin": {"web", "admin", "forms", "services", "failures", "models", "templatetags"},
    "management": {"accounts", "services", "worker", "sandbox", "models", "db", "environment", "local"},
    "settings": {"environment", "local", "sandbox"},
    "urls": {"accounts", "views"},
    "apps": {"checks"},
    "wsgi": {"db"},
    "asgi": {"api"},
    "": set(),
}
# Packages from outside that a part may import, where it is not Django's side.
PLAIN = {
    "agentstation": {"requests", "urllib3", "jsonschema"},
    "sandbox": {"websockets"},
    # The catalogue knows nothing of Django but how a text waits for its reader's language.
    "failures": {"django.utils.translation", "django.utils.text", "django.utils.functional"},
    "local": set(),
}
LIBRARY = {"requests", "urllib3"}
# The packages of services, lowest first: each imports only from those before it.
SERVICE_PACKAGES: tuple[str, ...] = ("runtime", "audit", "limits", "key", "search", "mirrors", "tokens", "people")
SERVICE_PACKAGES += ("connections", "lives", "requests", "reconciliation", "reports", "notifications", "retention")


def part_of(path: Path) -> str:
    first = path.relative_to(PORTAL).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def list_imports(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, as far as it can be named: `from portal import x` is portal.x."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def list_functions(path: Path) -> Iterator[ast.FunctionDef]:
    yield from (node for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef))


def length(function: ast.FunctionDef) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def may_import(part: str, name: str) -> bool:
    first, *rest = name.split(".")
    if first == "portal":
        below = rest[0] if rest and ((PORTAL / rest[0]).exists() or (PORTAL / f"{rest[0]}.py").exists()) else ""
        return below in MAY_IMPORT[part]
    return (
        part not in PLAIN
        or first in sys.stdlib_module_names
        or any(f"{name}.".startswith(f"{plain}.") for plain in PLAIN[part])
    )


def test_a_module_imports_only_what_its_part_may():
    named = ((path, name) for path in MODULES for name in list_imports(path))
    wrong = [f"{path}: {name}" for path, name in named if not may_import(part_of(path), name)]
    assert not wrong, "\n".join(wrong)


SERVICES = {
    ".".join(path.relative_to(PORTAL / "services").with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((PORTAL / "services").rglob("*.py"))
    if path.read_text().strip()
}


def list_services(path: Path) -> Iterator[str]:
    """The services that a file imports, by package and module."""
    for name in list_imports(path):
        if name.startswith("portal.services."):
            named = name.removeprefix("portal.services.")
            yield named if named in SERVICES else named.rpartition(".")[0]


def test_a_service_imports_only_from_its_package_and_lower_ones():
    height = SERVICE_PACKAGES.index
    wrong = [
        f"{path}: {name}"
        for service, path in SERVICES.items()
        for name in list_services(path)
        if height(name.partition(".")[0]) > height(service.partition(".")[0])
    ]
    assert not wrong, "\n".join(wrong)


def test_services_do_not_import_in_a_circle():
    graphlib.TopologicalSorter({name: list_services(path) for name, path in SERVICES.items()}).prepare()


_COUNTED = (tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING, getattr(tokenize, "FSTRING_START", -1))
_BEGINS = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)


@cache
def list_tokens(path: Path) -> list[int]:
    """The lines of its names, operators and literals: docstrings, comments and layout cost nothing."""
    lines, is_begun = [], True
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type in _COUNTED and not (is_begun and token.type == tokenize.STRING):
            lines.append(token.start[0])
        is_begun = token.type in _BEGINS or (is_begun and token.type not in _COUNTED)
    return lines


def count_tokens(path: Path, function: ast.FunctionDef) -> int:
    lines = list_tokens(path)
    return bisect_right(lines, function.end_lineno or 0) - bisect_left(lines, function.lineno)


def test_modules_and_functions_stay_small():
    tables = {PORTAL / "failures" / "rows.py"}
    large = [f"{path}: {count}" for path in MODULES if path not in tables and (count := len(list_tokens(path))) > 2600]
    long = [
        f"{path}: {one.name}: {count}"
        for path in MODULES
        for one in list_functions(path)
        if (count := count_tokens(path, one)) > 400 or length(one) > 50
    ]
    assert not large + long, "\n".join(large + long)


def test_the_median_function_is_under_ten_lines():
    lengths = [length(function) for path in MODULES for function in list_functions(path)]
    assert statistics.median(lengths) < 10


def test_no_import_hides_in_a_function():
    hidden = [
        f"{path}: {function.name}"
        for path in MODULES
        for function in list_functions(path)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    ]
    assert not hidden, "\n".join(hidden)


def test_services_are_called_with_keywords_only():
    # What nearly every service calls reads as a sentence: what was done to what.
    others = {"fit_number", "record"}
    wrong = [
        f"{path}: {node.name}"
        for path in SERVICES.values()
        for node in parse(path).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.name not in others
        if node.args.args
    ]
    assert not wrong, "\n".join(wrong)


def test_forms_are_plain_and_nothing_listens_to_signals():
    wrong = [str(path) for path in (PORTAL / "forms").glob("*.py") if "ModelForm" in path.read_text()]
    wrong += [str(path) for path in MODULES if "django.dispatch" in path.read_text() or path.name == "utils.py"]
    assert not wrong, "\n".join(wrong)


def test_no_name_of_the_http_library_leaves_the_client():
    others = [path for path in MODULES if part_of(path) != "agentstation"]
    wrong = [f"{path}: {name}" for path in others for name in list_imports(path) if name.split(".")[0] in LIBRARY]
    assert not wrong, "\n".join(wrong)
