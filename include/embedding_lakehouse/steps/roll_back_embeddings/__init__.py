"""Take published batches back: plan what becomes current again, ask, put it into the ledger; the index follows by difference."""
