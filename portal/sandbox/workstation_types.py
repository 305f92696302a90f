"""The types of workstation, as the list of them describes each."""

from collections.abc import Mapping
from typing import Any

_HARDWARE = ["keyboard", "mouse", "speaker", "microphone", "camera", "display"]
_MODELS = ["speech-to-text", "text-to-speech", "large-language-model"]
# Each with its software: the one that the provider lists today, and those of its contract.
_TYPES: Mapping[str, tuple[str, list[str]]] = {
    "default": ("A desktop with a browser and a terminal.", ["ssh", "terminal", "vnc", "desktop", "chromium"]),
    "max": ("Everything there is, for sessions of any kind.", ["desktop", "terminal", "chromium", "zoom", "python"]),
    "zoom-chromium": ("Joins Zoom meetings, with a browser beside them.", ["desktop", "zoom", "chromium"]),
    "meet-chromium": ("Joins Google Meet meetings in a browser.", ["desktop", "chromium"]),
    "voip": ("Makes and takes phone calls.", ["terminal", "sip"]),
    "voip-chromium": ("Phone calls, with a browser beside them.", ["desktop", "sip", "chromium"]),
    "chromium": ("A browser on a desktop.", ["desktop", "chromium"]),
    "python": ("Runs Python programs.", ["terminal", "ssh", "python"]),
    "nodejs": ("Runs Node.js programs.", ["terminal", "ssh", "nodejs"]),
    "golang": ("Builds and runs Go programs.", ["terminal", "ssh", "golang"]),
}


def describe(name: str, description: str, software: list[str]) -> dict[str, Any]:
    hardware, models = (_HARDWARE, _MODELS) if "desktop" in software else ([], [])
    words = {"id": name, "description": description}
    return words | {"hardware": hardware, "software": software, "models": models}


def list_types() -> dict[str, Any]:
    return {"object": "list", "data": [describe(name, *words) for name, words in _TYPES.items()]}


def list_software(name: str) -> list[str]:
    """What a workstation of the type has; nothing where there is no such type."""
    _, software = _TYPES.get(name, ("", []))
    return software
