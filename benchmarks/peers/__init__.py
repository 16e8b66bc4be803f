"""Other ways to keep vectors in step with documents, on the same work: one module and one file of pinned versions each."""
