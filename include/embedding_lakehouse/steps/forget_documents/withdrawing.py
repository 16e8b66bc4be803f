"""Withdraw what was bought in bulk from the providers' accounts: jobs that are under way, the files of texts and of answers."""

import logging

from embedding_lakehouse import settings
from embedding_lakehouse.clients.forgetting import purchases
from embedding_lakehouse.clients.forgetting.erasures import named
from embedding_lakehouse.clients.forgetting.purchases import PATIENCE_SECONDS
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.core.forgetting import BEGUN

# A job that was told to end takes up to ten minutes for it, and writes its answers then.
SETTLING_SECONDS = 900.0

log = logging.getLogger(__name__)


def withdraw_purchases(erasure_id: str, is_last: bool = False, lake: Lake | None = None, patience: float = PATIENCE_SECONDS) -> str:
    """End the jobs and delete their files; the erasure's id. What a provider refuses is noted, and the rest goes on.

    The last look waits for the end of jobs that were told to end, at most 15 minutes. `patience`: seconds for an account to answer.
    """
    lake = lake or connect()
    if named(lake, erasure_id)["state"] == BEGUN:
        settling = SETTLING_SECONDS if is_last else 0.0
        found = purchases.withdraw(lake, erasure_id, settings.profiles(), settling, patience)
        deleted = sum(len(one.files_deleted) for one in found.purchases)
        log.info("purchases in bulk: %s found, %s files deleted, out of reach: %s", len(found.purchases), deleted, len(found.out_of_reach))
    return erasure_id
