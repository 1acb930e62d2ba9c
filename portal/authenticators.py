"""What django-allauth asks us about second factors: how their secrets are kept, and what they are called."""

from collections import Counter
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction

from portal import encryption

SECRETS = ("secret", "seed")  # in the data of an authenticator: an app's, and the one that recovery codes come from


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Secrets are encrypted like personal data; an authenticator app names the brand and the operator's login."""

    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Raises UnreadableError."""
        return encryption.decrypt(encrypted_text)

    def get_totp_issuer(self) -> str:
        return f"{settings.BRAND_NAME} operations"

    def _get_site_name(self) -> str:
        return self.get_totp_issuer()


# --- Another key (rotation.py) ----------------------------------------------------------------------------------


def old_keys() -> dict[str, int]:
    """How many secrets are not under the first key, by the id of theirs; "" for none."""
    return Counter(
        text[: encryption.ID] if encryption.is_encrypted(text) else ""
        for row in Authenticator.objects.only("data").iterator()
        for text in _old(row.data).values()
    )


def reencrypt() -> tuple[int, int]:
    """Bring every secret under the first key; how many authenticators were written, how many are unreadable."""
    done = unreadable = 0
    for pk in [row.pk for row in Authenticator.objects.order_by("pk") if _old(row.data)]:
        try:
            done += _reencrypt(pk)
        except encryption.UnreadableError:
            unreadable += 1
    return done, unreadable


@transaction.atomic
def _reencrypt(pk: int) -> bool:
    row = Authenticator.objects.select_for_update().filter(pk=pk).first()
    old = _old(row.data) if row else {}
    if row and old:
        row.data |= {name: encryption.encrypt(encryption.decrypt(text)) for name, text in old.items()}
        row.save(update_fields=["data"])
    return bool(old)


def _old(data: dict[str, Any]) -> dict[str, str]:
    current = f"{encryption.current_key_id()}:"
    return {name: data[name] for name in SECRETS if name in data and not data[name].startswith(current)}
