"""Seals and tombstones in canonical form: instances with the columns as they are stored, each signed as a whole."""

from collections.abc import Sequence

from django.db.models import QuerySet

from portal import models
from portal.models.canonical_json import write_json
from portal.services.audit import canonical, signatures

type Signed = models.Seal | models.Tombstone


def read_signed[Row: Signed](*, rows: QuerySet[Row]) -> Sequence[Row]:
    """These rows. Times are texts: what is signed is what is stored."""
    names = [field.attname for field in rows.model._meta.concrete_fields]
    found = canonical.read_rows(rows=rows, names=names)
    return [rows.model(**dict(zip(names, row, strict=True))) for row in found]


def describe(*, row: Signed) -> dict[str, object]:
    """All of it in canonical form, but for an id that only numbers it."""
    names = [field.attname for field in row._meta.concrete_fields if field.attname != "id"]
    return {name: canonical.convert_value(value=getattr(row, name)) for name in names}


def sign(*, row: Signed) -> None:
    setattr(row, row.SIGNATURE, signatures.sign(what=str(row._meta.model_name), text=_write(row)))


def check(*, row: Signed) -> signatures.Verdict:
    what = str(row._meta.model_name)
    return signatures.check(what=what, text=_write(row), signature=getattr(row, row.SIGNATURE))


def _write(row: Signed) -> str:
    return write_json({name: value for name, value in describe(row=row).items() if name != row.SIGNATURE})
