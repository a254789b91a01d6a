"""Who looks at the admin, logged in."""

from __future__ import annotations

from uuid import uuid4

from django.contrib.auth.models import Permission, User
from django.test import Client


def superuser() -> Client:
    """May do all."""
    return _client_of(User.objects.create_superuser("boss"))


def staff(*codenames: str) -> Client:
    """May do what these permissions allow."""
    user = User.objects.create_user(f"staff-{uuid4().hex[:6]}", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return _client_of(user)


def _client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
