"""The portal's memory, one file per noun."""

from .consents import PendingConsent
from .grants import MiniProgramGrant
from .ledger import ConsentDecision, ConsentText
from .merchants import Merchant, MerchantKey, Sector
from .mini_programs import MiniProgram, ScopeApproval
from .notices import MerchantNotice
from .platform_keys import PlatformKey
from .seals import Seal
from .users import Address, Contact, LoginId, User

__all__ = [
    "Address",
    "ConsentDecision",
    "ConsentText",
    "Contact",
    "LoginId",
    "Merchant",
    "MerchantKey",
    "MerchantNotice",
    "MiniProgram",
    "MiniProgramGrant",
    "PendingConsent",
    "PlatformKey",
    "ScopeApproval",
    "Seal",
    "Sector",
    "User",
]
