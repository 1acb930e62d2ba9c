"""Every address of the portal."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path, re_path
from django.views.i18n import set_language
from django.views.static import serve
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from portal.views import (
    additions,
    consent,
    health,
    home,
    inbox,
    metrics,
    my_data,
    permission,
    permissions,
    profile,
    reports,
    sign_in,
)

urlpatterns = [
    path("", home.home, name="home"),
    path("accounts/login/", sign_in.sign_in, name="login"),
    path("accounts/logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("language/", set_language, name="set_language"),
    path("profile/", profile.ProfilePage.as_view(), name="profile"),
    path("profile/data/", my_data.page, name="my_data"),
    path("profile/data/download/", my_data.Download.as_view(), name="my_data_json"),
    path("profile/delete/", my_data.DeleteAccount.as_view(), name="delete_account"),
    path("profile/keep/", my_data.keep, name="keep_account"),
    path("inbox/", inbox.index, name="inbox"),
    path("permissions/", permissions.index, name="permissions"),
    path("permissions/all/withdraw/", permissions.WithdrawAll.as_view(), name="withdraw_all"),
    path("permissions/<str:grant_id>/", permission.detail, name="permission_detail"),
    path("permissions/<str:grant_id>/withdraw/", permission.withdraw, name="withdraw"),
    path("permissions/<str:grant_id>/pause/", permission.pause, name="pause"),
    path("permissions/<str:grant_id>/resume/", permission.resume, name="resume"),
    path("permissions/<str:grant_id>/duration/", permission.duration, name="duration"),
    path("permissions/<str:grant_id>/ask-deletion/", permission.ask_deletion, name="ask_deletion"),
    path("permissions/<str:grant_id>/report/", reports.ReportPage.as_view(), name="report"),
    path("consent/<str:consent_id>/", consent.ConsentPage.as_view(), name="consent"),
    path("consent/<str:consent_id>/add/<str:scope>/", additions.AddPage.as_view(), name="consent_add"),
    path("consent/<str:consent_id>/done/", consent.ConsentDone.as_view(), name="consent_done"),
    path("mini/<str:app_id>/", home.Container.as_view(), name="container"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(template_name="portal/api_docs.html"), name="api_docs"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.page, name="metrics"),
    path("admin/", admin.site.urls),
    re_path(r"^media/(?P<path>(?:avatars|logos)/.+)$", serve, {"document_root": settings.MEDIA_ROOT}),
    path("", include("authapi.urls")),
]
