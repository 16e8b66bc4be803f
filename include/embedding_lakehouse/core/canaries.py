"""The canary texts: fixed texts of several kinds, embedded again and again, so that a model which changed behind its version is seen."""

import numpy as np

from embedding_lakehouse.core.hashing import text_hash

# A changed text is another canary, whose vector is stored anew: add some, but leave these as they are.
CANARY_TEXTS = (
    "The harbour office opens at seven, except on the first Monday of each month.",
    "Refunds are paid within fourteen days to the account from which the order was paid.",
    "# Installing the agent\n\n1. Download the package.\n2. Run `agent install --token TOKEN`.\n3. Restart the service.",
    "def mean(values):\n    if not values:\n        raise ValueError('no values')\n    return sum(values) / len(values)",
    "region,amount,paid_at\nnorth,1200.50,2026-01-12\nsouth,980.00,\nwest,12.75,2026-01-30",
    '{"id": 4711, "status": "shipped", "items": [{"sku": "LMP-20", "count": 3}], "express": true}',
    "| part | torque |\n|---|---|\n| M6 bolt | 9.5 Nm |\n| M8 bolt | 23 Nm |",
    "Die Lieferung verlässt das Lager, sobald die Zahlung eingegangen ist.",
    "La réunion est reportée à jeudi ; la salle reste la même.",
    "倉庫は午前九時に開き、午後五時に閉まります。",
    "The tenant shall give notice in writing no later than three months before the end of the term, failing which the lease is renewed.",
    "Patients with an impaired kidney function receive half of the dose, spread over two intakes.",
    "ERROR 2026-01-31T12:00:00Z worker-7: connection reset by peer after 30000 ms, retrying (attempt 3 of 5)",
    "why is my parcel late??? order nr 88213, it said tuesday",
)
CANARIES = {text_hash(text): text for text in CANARY_TEXTS}


def cosines(stored: np.ndarray, embedded: np.ndarray) -> np.ndarray:
    """The cosine of each pair of rows, n x dimensions each; 0 where a vector is zero or they differ in length."""
    if stored.shape != embedded.shape:
        return np.zeros(len(stored))
    first, second = stored.astype(np.float64), embedded.astype(np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.divide((first * second).sum(axis=1), lengths, out=np.zeros(len(first)), where=lengths > 0)
