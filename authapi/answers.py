"""The shape of every answer, as the OpenAPI description shows it (wire.md 1, 2 and 5)."""

from typing import Any

from rest_framework import serializers
from rest_framework.serializers import CharField, ChoiceField, DateTimeField, DictField, ListField

from authapi.results import AGREEMENT_PENDING, JSAPI_ERRORS, SCOPE_NOT_APPROVED, SCOPE_REFUSED, SCOPE_UNKNOWN


class Answer(serializers.Serializer[Any]):
    """An object of the wire."""


# --- The merchant API -----------------------------------------------------------------------------------------


class Done(Answer):
    resultStatus = ChoiceField(choices=["S", "A"], help_text="S: done. A: accepted, not finished.")
    resultCode = CharField(max_length=64)
    resultMessage = CharField(max_length=256)


class NotDone(Answer):
    resultStatus = ChoiceField(choices=["F", "U"], help_text="F: act on the code. U: same request again later.")
    resultCode = CharField(max_length=64)
    resultMessage = CharField(max_length=256, help_text="For the developer; names the field or scope at fault.")


class Success(Answer):
    result = Done()


class Refusal(Answer):
    """A refusal, HTTP 200 like every answer, signed when a Client-Id was sent."""

    result = NotDone()


class TokenPair(Success):
    accessToken = CharField(max_length=128)
    accessTokenExpiryTime = DateTimeField()
    refreshToken = CharField(max_length=128)
    refreshTokenExpiryTime = DateTimeField()
    customerId = CharField(max_length=64, help_text="The userId that inquiryUserInfo answers.")
    extendInfo = CharField(required=False)


class UserName(Answer):
    fullName = CharField(max_length=128, required=False)
    firstName = CharField(max_length=32, required=False)
    middleName = CharField(max_length=32, required=False)
    lastName = CharField(max_length=32, required=False)


class LoginId(Answer):
    """Each form of the login id only with its scope."""

    loginIdType = ChoiceField(choices=["MOBILE_PHONE", "EMAIL", "OTHER"])
    loginId = CharField(max_length=64, required=False)
    maskLoginId = CharField(max_length=64, required=False)
    hashLoginId = CharField(max_length=256, required=False, help_text="Lower-case hex SHA-256 of loginId.")


class Contact(Answer):
    contactType = ChoiceField(choices=["MOBILE_PHONE", "TELEPHONE", "EMAIL"])
    contactNo = CharField(
        max_length=64, help_text="A phone as CC-number; a mobile masked unless its scope is granted."
    )


class Address(Answer):
    label = CharField(required=False)  # type: ignore[assignment]
    region = CharField(required=False, help_text="ISO 3166-1 alpha-2")
    state = CharField(required=False)
    city = CharField(required=False)
    address1 = CharField(required=False)
    address2 = CharField(required=False)
    zipCode = CharField(required=False)


class UserFields(Answer):
    """Only fields of granted scopes, and only those that have a value; a host's own fields come beside them."""

    userId = CharField(max_length=64, help_text="Pairwise: different for every merchant's sector.")
    status = ChoiceField(choices=["ACTIVE", "FROZEN", "INACTIVE"], required=False)
    nickName = CharField(max_length=256, required=False)
    userName = UserName(required=False)
    avatar = serializers.URLField(max_length=256, required=False)
    gender = ChoiceField(choices=["M", "F"], required=False)
    birthDate = serializers.DateField(required=False)
    nationality = CharField(max_length=2, required=False)
    loginIdInfos = LoginId(many=True, required=False)
    contactInfos = Contact(many=True, required=False)
    userAddresses = Address(many=True, required=False)


class UserInfo(Success):
    userInfo = UserFields()


class UserFieldsV1(UserFields):
    birthDate = None  # type: ignore[assignment]
    birthday = serializers.DateField(required=False, help_text="v2 calls it birthDate.")


class UserInfoV1(Success):
    userInfo = UserFieldsV1()


class TokenStatus(Success):
    accessToken = CharField(max_length=128)
    accessTokenExpiryTime = DateTimeField()
    tokenStatusType = ChoiceField(choices=["ACTIVE", "EXPIRED", "REVOKED"])


class SignatureVerdict(Success):
    signatureValid = ChoiceField(choices=["true", "false"])
    stringToSign = CharField(help_text="What we computed from this very request.")
    resultCodeOtherwise = CharField(required=False, help_text="What another endpoint would have answered.")
    reason = CharField(required=False)


# --- The container's API --------------------------------------------------------------------------------------

SCOPE_CODES = (
    f"scope -> code: {SCOPE_UNKNOWN} unknown, {SCOPE_NOT_APPROVED} not approved for this mini-program, "
    f"{SCOPE_REFUSED} refused by the user, 3 could not be decided"
)


class Code(Answer):
    """A code: swap it with applyToken within five minutes, once."""

    authCode = CharField(max_length=32)
    authSuccessScopes = ListField(child=CharField(), help_text="In the order asked.")
    authErrorScopes = DictField(child=CharField(), help_text=SCOPE_CODES)


class Question(Answer):
    """The user must be asked: show consentUrl, or draw the consent, then call again with the consentId."""

    error = ChoiceField(choices=[AGREEMENT_PENDING])
    errorMessage = CharField()
    consentId = CharField(max_length=32)
    consentUrl = serializers.URLField()
    consentExpiryTime = DateTimeField()
    authErrorScopes = DictField(child=CharField(), help_text=SCOPE_CODES)


class Failure(Answer):
    """No code; `error` as my.getAuthCode gives it."""

    error = ChoiceField(choices=[(number, error.default) for number, error in JSAPI_ERRORS.items()])
    errorMessage = CharField(help_text="For the developer.")
    authErrorScopes = DictField(child=CharField(), help_text=SCOPE_CODES)
    authSuccessScopes = ListField(child=CharField(), max_length=0)


class ConsentProgram(Answer):
    appId = CharField()
    name = CharField()
    logo = serializers.URLField(allow_null=True)
    developer = CharField(allow_null=True)
    verified = serializers.BooleanField(help_text="Operators have checked who the merchant is.")
    privacyPolicyUrl = serializers.URLField(allow_null=True)


class ConsentScope(Answer):
    scope = CharField()
    label = CharField()  # type: ignore[assignment]
    description = CharField()
    purpose = CharField(help_text="Why the mini-program asks, in its own words.")
    required = serializers.BooleanField()  # type: ignore[assignment]
    preview = ListField(child=CharField(), help_text="The values, masked.")
    hasValue = serializers.BooleanField(help_text="Whether the profile holds what it opens.")
    sensitive = serializers.BooleanField(help_text="Whether allowing it asks for a recent sign-in.")
    changed = serializers.BooleanField(help_text="Whether it is granted already, for another purpose.")
    previousPurpose = CharField(allow_null=True)
    maxDays = serializers.IntegerField(allow_null=True, help_text="Nobody can allow it for longer.")


class ConsentDuration(Answer):
    value = CharField()
    label = CharField()  # type: ignore[assignment]


class Consent(Answer):
    """What a container needs to draw its own sheet."""

    consentId = CharField(max_length=32)
    consentExpiryTime = DateTimeField()
    miniProgram = ConsentProgram()
    scopes = ConsentScope(many=True)
    durations = ConsentDuration(many=True)
    alreadyGranted = ListField(child=CharField(), help_text="Labels of what this mini-program has already.")


class Reported(Answer):
    reported = serializers.BooleanField()
