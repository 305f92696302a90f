"""Fills an empty database with made-up history, to measure pages on. Nothing that runs in earnest imports it."""

from portal.filling.fill import Refused, fill_history
from portal.filling.plan import Plan

__all__ = ["Plan", "Refused", "fill_history"]
