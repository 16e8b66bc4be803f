"""The steps of `forget_documents`: plan, begin with the tombstones, erase tables and records, look for what is left, certify."""
