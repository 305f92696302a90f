"""Rows whose changes are in the audit log: each remembers what was stored when it was read."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Self

from django.db import models


class Audited(models.Model):
    """A row whose audited columns are in the audit log: each change of one of them goes with an event.

    `AUDITED` names them as the instance does (`owner_id`). Of those in `PRIVATE` the log holds a keyed digest in place
    of the value. Rows with `BEGINS` begin with an event; of others, which the portal may know for long before anything
    happens to them, the first event has all audited columns.
    """

    AUDITED: ClassVar[tuple[str, ...]] = ()
    PRIVATE: ClassVar[frozenset[str]] = frozenset()
    BEGINS: ClassVar[bool] = False

    _stored: dict[str, Any] | None = None

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any) -> Self:
        row = super().from_db(db, field_names, values, **options)
        row._stored = {name: row.__dict__[name] for name in cls.AUDITED if name in row.__dict__}
        return row

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """As Django's. What was stored before stays what it was; a column that is read for the first time is added."""
        super().refresh_from_db(*args, **kwargs)
        if self._stored is not None:
            for name in self.AUDITED:
                if name in self.__dict__:
                    self._stored.setdefault(name, self.__dict__[name])

    def change(self, **values: Any) -> None:
        """Set these columns and save them alone."""
        for name, value in values.items():
            setattr(self, name, value)
        self.save(update_fields=values)

    def update_where(self, rows: models.QuerySet[Self], **values: Any) -> bool:
        """Change the row where it is still among these, and the instance with it. Returns whether it was."""
        if not rows.filter(pk=self.pk).update(**values):
            return False
        for name, value in values.items():
            setattr(self, name, value)
        return True

    @property
    def stored(self) -> Mapping[str, Any] | None:
        """The audited columns as they were when the row was read, or when an event last had it; None: it is new."""
        return self._stored

    def note_added(self) -> None:
        """The row was written in this transaction by a statement that left no instance: it is new to the audit log."""
        self._stored = None

    def note_recorded(self) -> None:
        """What the row holds now is in the audit log."""
        self._stored = {name: self.__dict__[name] for name in self.AUDITED if name in self.__dict__}
