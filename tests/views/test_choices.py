"""Choices in forms: drawn by the portal's own template, as Django's would draw them."""

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.test.html import parse_html

from portal.forms import PortalRenderer

CHOICES = [("", "Any"), ("a<b", "<b>"), (1000, 2000), ("Europe", [("x", "X"), ("y", "Y")]), ("z", "Z")]


@pytest.mark.parametrize("chosen", ["", "a<b", "1000", "y", "nowhere", None])
def test_a_list_of_choices_is_drawn_as_django_draws_it(chosen):
    widget = forms.Select(attrs={"id": "place", "required": True, "disabled": False}, choices=CHOICES)
    drawn, by_django = (
        parse_html(widget.render("place", chosen, renderer=renderer))
        for renderer in (PortalRenderer(), DjangoTemplates())
    )
    assert drawn == by_django
    assert "disabled" not in str(drawn)
