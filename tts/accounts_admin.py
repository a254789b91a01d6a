"""The page of accounts in the admin. Read only; for those who may view accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from audiocache.models import Account
from tts.accounts_page.figures import figures
from tts.accounts_page.findings import findings
from tts.accounts_page.pictures import charts
from tts.accounts_page.spans import CHOICES, chosen

if TYPE_CHECKING:
    AccountModelAdmin = admin.ModelAdmin[Account]
else:
    AccountModelAdmin = admin.ModelAdmin


@admin.register(Account)
class AccountAdmin(AccountModelAdmin):
    """One page in place of a list of sums."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Accounts are not written by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:  # noqa: ARG002 - Django's signature
        """Nor changed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:  # noqa: ARG002 - Django's signature
        """Nor deleted."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """The page alone."""
        view = require_safe(self.admin_site.admin_view(self.changelist_view))
        return [path("", view, name="audiocache_account_changelist")]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        choice = chosen(request.GET.get("span"))
        found = figures(choice)
        shown = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": _("What speech cost and saved"),
            "opts": self.opts,
            "choices": CHOICES,
            "choice": choice,
            "figures": found,
            "findings": findings(found),
            "charts": charts(found, choice),
            "steps": [(choice.moment(moment.period), moment) for moment in found.moments],
        }
        return TemplateResponse(request, "admin/tts/accounts/page.html", shown)
