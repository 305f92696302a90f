"""The beginning of a text from outside, for indexes: PostgreSQL refuses a row whose indexed text is long."""

from django.db.models import CharField, Func


class Beginning(Func):
    """The first LENGTH characters of a text; the values of the provider's contract are shorter."""

    LENGTH = 40
    # Written out, as in the index.
    template = f"substr(%(expressions)s, 1, {LENGTH})"
    output_field = CharField()
