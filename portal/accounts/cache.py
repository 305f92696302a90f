"""Django's cache in the database, of which nobody who reads or writes the table has anything."""

import base64
import hashlib
import json
import time
from datetime import timedelta
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from portal import models


def read_cipher(purpose: str) -> MultiFernet:
    """Of SECRET_KEY, and for what former ones encrypted."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [hashlib.sha256(f"{purpose} {key}".encode()).digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def hash_key(key: str, prefix: str, version: int) -> str:
    """What stands in the table for a key, which may be a code that somebody could use."""
    return salted_hmac("cache", key, algorithm="sha256").hexdigest()


class EncryptedCache(BaseCache):
    """Keeps JSON, encrypted and authenticated. Django's DatabaseCache unpickles what it reads: whoever can write in the
    table would run code."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        row = models.CacheEntry.objects.filter(cache_key=self.make_key(key), expires__gt=timezone.now()).first()
        try:
            # With its key and its end: no row counts in the place of another, or for longer.
            name, value, until = json.loads(_cipher().decrypt(row.value)) if row else (None, None, 0.0)
        except (InvalidToken, ValueError):
            return default
        return value if row and name == row.cache_key and until > time.time() else default

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        name = self.make_key(key)
        models.CacheEntry.objects.update_or_create(cache_key=name, defaults=self._write(name, value, timeout))

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        name = self.make_key(key)
        rows, values = models.CacheEntry.objects.filter(cache_key=name), self._write(name, value, timeout)
        with transaction.atomic():
            rows.filter(expires__lte=timezone.now()).delete()
            return models.CacheEntry.objects.get_or_create(cache_key=name, defaults=values)[1]

    def delete(self, key: Any, version: int | None = None) -> bool:
        return bool(models.CacheEntry.objects.filter(cache_key=self.make_key(key)).delete()[0])

    def _write(self, name: str, value: Any, timeout: Any) -> dict[str, Any]:
        seconds: Any = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        expires = timezone.now() + timedelta(seconds=seconds)
        text = _cipher().encrypt(json.dumps([name, value, expires.timestamp()]).encode()).decode()
        return {"value": text, "expires": expires}


def _cipher() -> MultiFernet:
    return read_cipher("cache")
