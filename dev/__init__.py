"""The local stack for development, tests and the demo: nothing here runs in production."""
