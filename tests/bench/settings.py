"""A portal as `make run` has it, with a plain Django beside it over the same tables."""

from portal.settings import *  # noqa: F403

ROOT_URLCONF = "tests.bench.plain"
