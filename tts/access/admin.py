"""API keys in the admin: made and shown once, changed, revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from tts.access.callers import SCOPES
from tts.access.models import ApiKey

if TYPE_CHECKING:
    KeyAdmin = admin.ModelAdmin[ApiKey]
    KeyForm = forms.ModelForm[ApiKey]
else:
    KeyAdmin = admin.ModelAdmin
    KeyForm = forms.ModelForm

CHOSEN = ("name", "scopes", "namespace", "daily_characters", "expires")
TOLD = ("prefix", "used_today", "created", "last_used", "revoked")


class ApiKeyForm(KeyForm):
    """With a box for each scope."""

    scopes = forms.MultipleChoiceField(
        label=_("scopes"),
        choices=[(name, f"{name}: {what}") for name, what in SCOPES.items()],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    class Meta:
        model = ApiKey
        fields = CHOSEN


@admin.register(ApiKey)
class ApiKeyAdmin(KeyAdmin):
    """A key's token is shown when it is made, and never again."""

    form = ApiKeyForm
    list_display = (
        "name", "prefix", "namespace", "daily_characters", "used_today",
        "expires", "last_used", "revoked",
    )  # fmt: skip
    search_fields = ("name", "prefix")
    readonly_fields = TOLD
    actions = ("revoke",)

    @admin.display(description=_("characters today"))
    def used_today(self, key: ApiKey) -> int:
        """Of its limit."""
        return key.used_on(timezone.now().date())

    @admin.action(description=_("Revoke the selected keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        """Within a second, in every process."""
        number = keys.filter(revoked=None).update(revoked=timezone.now())
        message = ngettext("%d key was revoked.", "%d keys were revoked.", number)
        self.message_user(request, message % number)

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:  # noqa: ARG002 - Django's signature
        """What is chosen; of a key that is there also what is told of it."""
        return [(None, {"fields": CHOSEN if obj is None else (*CHOSEN, *TOLD)})]

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """A new one is issued."""
        if change:
            super().save_model(request, obj, form, change)
        else:
            request.issued_token = obj.issue()  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The page that shows the token: no message, which would lie in a cookie or a session."""
        del post_url_continue
        shown = {
            **self.admin_site.each_context(request),
            "title": _("API key"),
            "opts": self.opts,
            "key": obj,
            "token": request.issued_token,  # type: ignore[attr-defined]
        }
        page = TemplateResponse(request, "admin/tts/apikey/issued.html", shown)
        page["Cache-Control"] = "no-store"
        return page
