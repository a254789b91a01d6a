"""Who does a thing that only one may do at a time, decided in the cache's database."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import DatabaseError, IntegrityError, InterfaceError, connections, transaction

from audiocache import database, own_file
from audiocache.clock import now_ms
from audiocache.models import Lease

logger = logging.getLogger(__name__)

RUN_SECONDS: Final = 600
_TROUBLE: Final = (DatabaseError, InterfaceError, OSError)


@contextmanager
def only_one(name: str, seconds: float = RUN_SECONDS) -> Iterator[bool]:
    """True for the one who holds `name` now; it is given back at the end, or after `seconds`.

    When the database cannot say, the answer is True: two clean-ups do no harm.
    """
    alias, owner = database.default_alias(), secrets.token_hex(16)
    try:
        held = _take(alias, name, owner, round(seconds * 1000))
    except _TROUBLE:
        yield True
        return
    try:
        yield held
    finally:
        if held:
            _give_back(alias, name, owner)


def _give_back(alias: str, name: str, owner: str) -> None:
    """The work is done: trouble here is no reason to fail. The lease ends at its deadline."""
    try:
        Lease.objects.using(alias).filter(name=name, owner=owner).delete()
    except _TROUBLE as error:
        logger.warning("lease not given back name=%s error=%s", name, type(error).__name__)


def _take(alias: str, name: str, owner: str, ms: int) -> bool:
    own_file.prepare(connections[alias])
    now = now_ms()
    leases = Lease.objects.using(alias)
    if leases.filter(name=name, deadline__lte=now).update(owner=owner, deadline=now + ms):
        return True
    try:
        with transaction.atomic(using=alias):
            leases.create(name=name, owner=owner, deadline=now + ms)
    except IntegrityError:
        return False
    return True
