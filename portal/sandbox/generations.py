"""The generations of the provider: which types each takes, and what its list of types says."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.sandbox import contents
from portal.sandbox.wishes import ScriptError

type Document = dict[str, Any]

_HARDWARE = ["keyboard", "mouse", "speaker", "microphone", "camera", "display"]
_MODELS = ["speech-to-text", "text-to-speech", "large-language-model"]
_DESCRIPTIONS: Mapping[str, tuple[str, list[str]]] = {
    "max": ("Everything there is, for sessions of any kind.", ["desktop", "terminal", "chromium", "zoom", "python"]),
    "zoom-chromium": ("Joins Zoom meetings, with a browser beside them.", ["desktop", "zoom", "chromium"]),
    "meet-chromium": ("Joins Google Meet meetings in a browser.", ["desktop", "chromium"]),
    "voip": ("Makes and takes phone calls.", ["terminal", "sip"]),
    "voip-chromium": ("Phone calls, with a browser beside them.", ["desktop", "sip", "chromium"]),
    "chromium": ("A browser on a desktop.", ["desktop", "chromium"]),
    "python": ("Runs Python programs.", ["terminal", "ssh", "python"]),
    "nodejs": ("Runs Node.js programs.", ["terminal", "ssh", "nodejs"]),
    "golang": ("Builds and runs Go programs.", ["terminal", "ssh", "golang"]),
    contents.DEFAULT: ("A desktop with a browser and a terminal.", ["ssh", "terminal", "vnc", "desktop", "chromium"]),
}
# The connections into a workstation, by the ends of their addresses, each with the software that it needs.
CONNECTIONS: Mapping[str, str] = {
    "vncwss": "desktop",
    "vnc": "desktop",
    "sandbox/pty": "terminal",
    "browser/cdp": "chromium",
    "log/stream": "",
}


def find_missing(connection: str, *, type: str) -> str:
    """The software for want of which a type has no such connection; empty if it has one."""
    _, software = _DESCRIPTIONS.get(type, ("", []))
    needed = CONNECTIONS[connection]
    return "" if needed in ("", *software) else needed


@dataclass(frozen=True, kw_only=True)
class Generation:
    """`has_list`: whether there is a list of types. `is_nested`: whether it has a second list within its data."""

    types: tuple[str, ...]
    has_list: bool = True
    is_nested: bool = False

    def describe(self) -> Document | None:
        """The list of types; None where there is none."""
        if not self.has_list:
            return None
        data = []
        for name in self.types:
            description, software = _DESCRIPTIONS[name]
            hardware, models = (_HARDWARE, _MODELS) if "desktop" in software else ([], [])
            words = {"id": name, "description": description}
            data.append(words | {"hardware": hardware, "software": software, "models": models})
        listed = {"object": "list", "data": data}
        return {"object": "list", "data": listed} if self.is_nested else listed


BY_NAME: Mapping[str, Generation] = {
    "nine": Generation(types=contents.TYPES),
    "default": Generation(types=(contents.DEFAULT,), is_nested=True),
    "none": Generation(types=contents.TYPES, has_list=False),
}


class Present:
    """The generation that the sandbox imitates now: at first the nine types with a list of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Go back to the nine types with a list."""
        self.change({"generation": "nine"})

    def change(self, wish: Any) -> None:
        """Another generation from now on; the old one goes on if there is no such one."""
        name = wish.get("generation") if isinstance(wish, dict) and len(wish) == 1 else None
        if not isinstance(name, str) or name not in BY_NAME:
            raise ScriptError(f"generation must be one of {', '.join(BY_NAME)}")
        with self._lock:
            self._generation = BY_NAME[name]

    def get(self) -> Generation:
        """The one in force."""
        with self._lock:
            return self._generation
