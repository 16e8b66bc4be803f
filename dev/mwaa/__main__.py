"""`python -m dev.mwaa` writes dist/mwaa."""

from dev.mwaa import build

print(build())
