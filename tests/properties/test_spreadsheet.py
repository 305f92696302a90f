"""Exports in a spreadsheet: whatever it was told to split lines at, no cell of a text begins as a formula does."""

import csv
import io
import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.services.search import exporting

FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = ("number", "note", "detail", "message")
quick = settings(max_examples=100, derandomize=True, database=None, deadline=None)
texts = st.text(st.sampled_from([*"=+-@\t\r\n,;\"' a1\\{}:|"]), max_size=12)
values = st.fixed_dictionaries(
    {
        "number": st.integers(min_value=1),
        "note": texts,
        "detail": st.dictionaries(texts, texts | st.lists(texts, max_size=3), max_size=3),
        "message": texts,
    }
)


def write(rows: list[dict]) -> str:
    return "".join(list(exporting.write_csv(columns=COLUMNS, pages=[rows]))[1:])


def split(text: str, separators: str) -> list[str]:
    """As LibreOffice does it where several separators are ticked: a quote opens a cell only at its start."""
    cells, cell, quoted, at_start = [], "", False, True
    position = 0
    while position < len(text):
        letter = text[position]
        position += 1
        if quoted and letter == '"':
            if text[position : position + 1] == '"':
                cell += '"'
                position += 1
            else:
                quoted = False
        elif quoted or letter not in separators + "\r\n":
            opens = letter == '"' and at_start
            quoted = quoted or opens
            cell += "" if opens else letter
            at_start = False
        else:
            cells.append(cell)
            cell, at_start = "", True
    return [*cells, cell]


def spread(text: str, separator: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) for cell in row]


@quick
@given(rows=st.lists(values, min_size=1, max_size=3))
def test_split_at_one_or_several_or_without_heed_of_quotes(rows):
    text = write(rows)
    for separators in (",", ";", "\t", ",;", ";\t", ",\t", ",;\t"):
        cells = split(text, separators)
        if len(separators) == 1:
            cells += spread(text, separators)
        for cell in cells:
            assert not cell.startswith(FORMULA), separators
    for cell in re.split("[,;\t\r\n]", text):
        assert not cell.lstrip(' "').startswith(FORMULA)


@quick
@given(rows=st.lists(values, min_size=1, max_size=3))
def test_read_as_what_it_is_it_says_the_same_but_for_apostrophes(rows):
    read = list(csv.DictReader(io.StringIO(write(rows), newline=""), COLUMNS))
    assert len(read) == len(rows)
    for found, row in zip(read, rows, strict=True):
        for name in ("note", "message"):
            assert found[name].replace("'", "") == row[name].replace("'", "")
        detail = json.dumps(row["detail"], ensure_ascii=False).replace("'", "")
        assert sorted(found["detail"].replace("'", "")) == sorted(detail)
        json.loads(found["detail"])


@quick
@given(text=st.text(st.sampled_from([*"abc xyz.:!?()/'019"]), max_size=30))
def test_ordinary_words_are_left_alone(text):
    (row,) = csv.DictReader(io.StringIO(write([{"number": 1, "note": text, "detail": {}, "message": ""}])), COLUMNS)
    assert row["note"] == text
