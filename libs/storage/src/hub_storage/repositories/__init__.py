"""Repositories: the domain's questions, written once over the collection port.

Every one takes the college first and answers for that college alone.
"""

from hub_storage.repositories import (
    audit,
    chains,
    idempotency_keys,
    integrations,
    limits,
    logs,
    receipts,
    rejects,
    runs,
    stream_states,
    tables,
    tokens,
)
from hub_storage.repositories.audit import Audit
from hub_storage.repositories.chains import Chains
from hub_storage.repositories.idempotency_keys import IdempotencyKeys, StoredReply
from hub_storage.repositories.integrations import Integrations
from hub_storage.repositories.limits import Claim, Granted, SourceLimits
from hub_storage.repositories.logs import Logs
from hub_storage.repositories.paging import MAX_PAGE_SIZE, Page
from hub_storage.repositories.receipts import Receipts
from hub_storage.repositories.rejects import Rejects
from hub_storage.repositories.runs import Runs
from hub_storage.repositories.stream_states import StreamStates
from hub_storage.repositories.tables import Tables
from hub_storage.repositories.tokens import Tokens

SPECS = (
    integrations.SPEC,
    runs.SPEC,
    logs.SPEC,
    rejects.SPEC,
    audit.SPEC,
    chains.SPEC,
    receipts.SPEC,
    idempotency_keys.SPEC,
    limits.SPEC,
    tokens.SPEC,
    tables.SPEC,
    stream_states.SPEC,
)

__all__ = [
    "MAX_PAGE_SIZE",
    "SPECS",
    "Audit",
    "Chains",
    "Claim",
    "Granted",
    "IdempotencyKeys",
    "Integrations",
    "Logs",
    "Page",
    "Receipts",
    "Rejects",
    "Runs",
    "SourceLimits",
    "StoredReply",
    "StreamStates",
    "Tables",
    "Tokens",
]
