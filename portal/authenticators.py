"""What django-allauth asks us about second factors: how their secrets are kept, and whose they are called."""

from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings

from portal import encryption


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
