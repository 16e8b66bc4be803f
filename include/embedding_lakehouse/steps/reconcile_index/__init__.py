"""Compare what the index holds with the record, by id and content, keep the fidelity over time, and repair what differs."""
