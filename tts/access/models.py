"""API keys. They live in the site's default database."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Case, F, Q, When
from django.utils.translation import gettext_lazy as _

from audiocache.keys import clip_of
from tts.access.callers import SCOPES, USUAL, Caller
from tts.access.tokens import new_token


def usual_scopes() -> list[str]:
    """Of a key for which nobody chose."""
    return list(USUAL)


def check_namespace(namespace: str) -> None:
    """Refuse what the cache would refuse. Raises ValidationError."""
    try:
        clip_of("any", namespace=namespace)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def check_scopes(scopes: Any) -> None:
    """Known ones alone. Raises ValidationError."""
    if not isinstance(scopes, list) or not set(map(str, scopes)) <= set(SCOPES):
        raise ValidationError(_("scopes must be among %s") % ", ".join(SCOPES))


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Named queries."""

    def set_aside(self, key_id: int, characters: int, day: date) -> bool:
        """Take characters of a day; False: so many are not left. One statement, so exact.

        Who read the clock before midnight, and comes later, takes them of the day that has begun.
        """
        begun = Q(day__gte=day, used__lte=F("daily_characters") - characters)
        new = (Q(day=None) | Q(day__lt=day)) & Q(daily_characters__gte=characters)
        used = Case(When(day__gte=day, then=F("used") + characters), default=characters)
        latest = Case(When(day__gt=day, then=F("day")), default=day)
        return bool(self.filter(begun | new, pk=key_id).update(used=used, day=latest))

    def give_back(self, key_id: int, characters: int, day: date) -> None:
        """Characters that were not spoken after all."""
        self.filter(pk=key_id, day=day).update(used=F("used") - characters)


class ApiKey(models.Model):
    """Opens the speech API. Its token is not here: only what proves it."""

    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("prefix"), max_length=8, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(_("scopes"), default=usual_scopes, validators=[check_scopes])
    namespace = models.CharField(
        _("namespace"),
        max_length=100,
        blank=True,
        validators=[check_namespace],
        help_text=_("Its clips are its own; empty: shared with all keys that have none."),
    )
    daily_characters = models.PositiveIntegerField(
        _("characters a day"),
        null=True,
        blank=True,
        help_text=_("That may be spoken anew, by UTC days; what is stored is free. Empty: any."),
    )
    day = models.DateField(_("last day"), null=True, editable=False)
    used = models.PositiveBigIntegerField(_("characters on it"), default=0, editable=False)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    expires = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked = models.DateTimeField(_("revoked"), null=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    def issue(self) -> str:
        """Save it as a new key; the token, which is seen now and never again."""
        token, self.prefix, self.digest = new_token()
        self.save(force_insert=True)
        return token

    def has_expired(self, now: datetime) -> bool:
        """Is its time over?"""
        return self.expires is not None and self.expires <= now

    def used_on(self, day: date) -> int:
        """Characters of a day; of the last one on which it spoke."""
        return self.used if self.day == day else 0

    def caller(self) -> Caller:
        """Whom it stands for."""
        return Caller(
            name=self.name,
            namespace=self.namespace,
            scopes=frozenset(self.scopes),
            key_id=self.pk,
            is_limited=self.daily_characters is not None,
        )
