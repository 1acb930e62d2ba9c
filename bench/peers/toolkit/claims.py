"""What an ID token and userinfo say of a user: columns of the one row that is read anyway."""

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator


class Validator(OAuth2Validator):  # type: ignore[misc]
    """As the toolkit's OpenID Connect chapter has it; every claim belongs to one of the asked scopes."""

    def get_additional_claims(self) -> dict[str, Any]:
        return {
            "nickname": lambda request: request.user.username,
            "given_name": lambda request: request.user.first_name,
            "family_name": lambda request: request.user.last_name,
            "name": lambda request: request.user.get_full_name(),
            "email": lambda request: request.user.email,
        }
