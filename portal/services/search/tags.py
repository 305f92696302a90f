"""The tags by which the search index knows the properties of a request."""

# Two characters each: with its separator a tag is one trigram, so that SQLite reads one list for it. An entry keeps its
# tags, so a value never changes its tag.
TAGS = {
    "status": {
        "QUEUED": "sq",
        "SENDING": "se",
        "SUCCEEDED": "ss",
        "FAILED": "sf",
        "UNKNOWN": "su",
        "CANCELLED": "sc",
    },
    "type": {
        "max": "t0",
        "zoom-chromium": "t1",
        "meet-chromium": "t2",
        "voip": "t3",
        "voip-chromium": "t4",
        "chromium": "t5",
        "python": "t6",
        "nodejs": "t7",
        "golang": "t8",
    },
    "failure": {
        "400": "f0",
        "401": "f1",
        "402": "f2",
        "422": "f3",
        "429": "f4",
        "500": "f5",
        "503": "f6",
        "no-connection": "f7",
        "no-answer": "f8",
        "unreadable": "f9",
        "waited-too-long": "fa",
        "other": "fb",
    },
}
WAS_UNKNOWN = "un"
# A request that has ended has the tag of every level that it took longer than: seconds.
LEVELS = {
    0: "le",
    1: "l0",
    5: "l1",
    15: "l2",
    30: "l3",
    60: "l4",
    120: "l5",
    300: "l6",
    600: "l7",
    1_800: "l8",
    3_600: "l9",
    10_800: "la",
    43_200: "lb",
    86_400: "lc",
}


def tag_value(*, column: str, value: str) -> str:
    """The tag of a request that has the value in its column status, type or failure.

    Of types there may be others than those above; of the rest it raises KeyError for others.
    """
    if column == "type" and value not in TAGS["type"]:
        return f"y{value.encode().hex()};"
    return TAGS[column][value]


def tag_person(*, person: int) -> str:
    """The tag of the requests of the person with that id."""
    return f"p{person};"


def tag_longer(*, seconds: float) -> tuple[str, bool]:
    """The tag of all requests that took longer, and whether it is that of no others; else some took less."""
    return next((tag, level == seconds) for level, tag in reversed(LEVELS.items()) if level <= seconds)
