"""Ids in addresses and forms."""

import pytest

from portal import models


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("17", 17),
        (str(models.MAX_ID), models.MAX_ID),
        *((text, None) for text in ("", "x", "-1", "1.0", "²", "٣", " 1", str(models.MAX_ID + 1), "1" * 5000)),
    ],
)
def test_an_id_is_a_number_that_a_row_can_have(text, number):
    assert models.parse_id(text) == number
