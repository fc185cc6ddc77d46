"""`Login`: Django in front of the shared web login.

    # settings.py
    INSTALLED_APPS += ["codegrant.web.django"]
    MIDDLEWARE += ["codegrant.web.django.middleware.LoginMiddleware"]

    # urls.py
    urlpatterns = [path("", include(login.urls)), path("profile", profile)]

    # views.py
    login = Login(Client("https://issuer.example", client_id=..., client_secret=...))

    @login.required
    def profile(request):
        return JsonResponse(login.api(request).get("https://api.example/profile").json())

Models are imported on first use: Django imports this package before it has any. Layer: web.
"""

from __future__ import annotations

from codegrant.errors import ConfigurationError

try:
    import django as _django
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.web.django needs Django: pip install 'codegrant[django]'"
    ) from _error

from codegrant.web.django.login import Login
from codegrant.web.django.resource import Protect
from codegrant.web.django.users import NewUser, make_user
from codegrant.web.login_sessions import SignedIn
from codegrant.web.login_setup import TokenStore

__all__ = ["Login", "NewUser", "Protect", "SignedIn", "TokenStore", "make_user"]

del _django
