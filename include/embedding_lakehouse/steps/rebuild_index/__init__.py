"""Fill a fresh namespace from the lake, verify it, and let it become the live release."""
