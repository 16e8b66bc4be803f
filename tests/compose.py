"""docker-compose.yaml with its variables filled in, as Compose would read it."""

import re
from typing import Any

import yaml

from dev.stack.component import ROOT

COMPOSE = ROOT / "docker-compose.yaml"
# ${NAME}, ${NAME-where unset}, ${NAME:-where empty}, ${NAME:?where it must be set}
REFERENCE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<rule>:?[-?])(?P<rest>[^}]*))?\}")


def resolved_compose(**variables: str) -> dict[str, Any]:
    """Return the compose file as data; a required variable without a value stands for itself in lower case."""

    def fill(reference: re.Match[str]) -> str:
        name, rule, rest = reference["name"], reference["rule"] or "", reference["rest"] or ""
        if name in variables and (variables[name] or ":" not in rule):
            return variables[name]
        return rest if rule.endswith("-") else name.lower()

    # Comments may name a variable too; they are gone once it is parsed.
    parsed: dict[str, Any] = yaml.safe_load(REFERENCE.sub(fill, COMPOSE.read_text()))
    return parsed


def environment_of(service: str, **variables: str) -> dict[str, str]:
    """Return the environment variables that a service gets."""
    environment: dict[str, str] = resolved_compose(**variables)["services"][service]["environment"]
    return environment
