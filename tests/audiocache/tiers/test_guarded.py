"""What is stored only unless it was removed meanwhile (law 10): a put or a back-fill that says
what was known of the log.
"""

from __future__ import annotations

from typing import Any

import pytest
import redis

from audiocache.models import Removal as Row
from audiocache.removals import Guard, Removal
from tests.audiocache.conftest import DATABASES, NewTier
from tests.factories import NOW, entry

MADE = entry("a", namespace="a room", tags=("a tag",))._replace(
    text_digest="the text's", source_key="the source's"
)
EVERYWHERE = pytest.mark.parametrize("kind", [*DATABASES, "redis"])


def told(tier: Any) -> Guard:
    """What its log says so far, at least something."""
    tier.put_many([entry("b", created=NOW - 2)])
    tier.put_many([entry("b", created=NOW - 1)])
    end = tier.log.read(None).cursor
    return Guard(0, end) if end.history else Guard(end.position)


@EVERYWHERE
def test_of_a_replaced_neighbour_a_guarded_put_takes_no_notice(
    new_tier: NewTier, kind: str
) -> None:
    """Where others write without a pause, a paid clip was stored nowhere, and paid for again."""
    tier = new_tier(kind)
    known = told(tier)
    for created in range(NOW, NOW + 8):  # as many as a writer may have to wait for
        tier.put_many([entry(f"{number}", created=created) for number in range(100)])
    assert told(tier) != known
    assert tier.put_many([entry("a")], guard=known) == {entry("a").key}


@EVERYWHERE
@pytest.mark.parametrize(
    "removal",
    [
        Removal("key", MADE.key),
        Removal("key", MADE.key, before=NOW + 1),
        Removal("text_digest", "the text's", "a room"),
        Removal("source_key", "the source's"),
        Removal("tags", "a tag"),
        Removal("all"),
    ],
    ids=lambda removal: f"{removal.field}{'-older' * (removal.before <= NOW + 1)}",
)
def test_what_is_removed_among_replaced_neighbours_is_refused(
    new_tier: NewTier, kind: str, removal: Removal
) -> None:
    tier, kept = new_tier(kind), entry("kept")
    known = told(tier)
    for created in range(NOW, NOW + 3):
        tier.put_many([entry("b", created=created)])
    tier.log.remove([removal], NOW)
    tier.put_many([entry("b", created=NOW + 3)])
    assert tier.put_many([MADE], guard=known) == set()
    assert tier.get(MADE.key) is None
    assert tier.put_many([kept], guard=known) == (set() if removal.field == "all" else {kept.key})


@EVERYWHERE
def test_where_the_log_no_longer_reaches_back_a_guarded_put_is_refused(
    new_tier: NewTier, kind: str, redis_client: redis.Redis, prefix: str
) -> None:
    tier = new_tier(kind)
    known = told(tier)
    for created in range(NOW, NOW + 5):
        tier.put_many([entry("b", created=created)])
    if kind == "redis":
        redis_client.xtrim(f"{prefix}:removals", maxlen=2, approximate=False)
    else:
        Row.objects.using(tier._database.alias).filter(id__lte=3).delete()
    assert tier.put_many([entry("a")], guard=known) == set()
