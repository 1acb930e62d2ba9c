"""The portal's memory, one file per noun."""

from .accesses import AccessCount
from .consents import PendingConsent
from .grants import MiniProgramGrant
from .inbox import InboxNotice
from .jobs import Job
from .ledger import ConsentDecision, ConsentText
from .mass_revocations import MassRevocation
from .merchants import Merchant, MerchantKey, Sector
from .mini_programs import MiniProgram
from .notices import MerchantNotice
from .platform_keys import PlatformKey
from .reports import AbuseReport
from .scope_approvals import PurposeVersion, ScopeApproval
from .seals import Seal
from .tallies import DecisionDay, DecisionTotal, Watermark
from .users import Address, Contact, LoginId, User
from .workers import PeriodicRun, Worker

__all__ = [
    "AbuseReport",
    "AccessCount",
    "Address",
    "ConsentDecision",
    "ConsentText",
    "Contact",
    "DecisionDay",
    "DecisionTotal",
    "InboxNotice",
    "Job",
    "LoginId",
    "MassRevocation",
    "Merchant",
    "MerchantKey",
    "MerchantNotice",
    "MiniProgram",
    "MiniProgramGrant",
    "PendingConsent",
    "PeriodicRun",
    "PlatformKey",
    "PurposeVersion",
    "ScopeApproval",
    "Seal",
    "Sector",
    "User",
    "Watermark",
    "Worker",
]
