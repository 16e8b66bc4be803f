"""`python health.py PART`: exit 0 if Airflow's API server calls that part healthy.

A tenth of a second of work, every few seconds; `airflow jobs check` loads all of Airflow for the same answer.
"""

import json
import sys
from urllib.request import urlopen

SERVER = "http://airflow-api-server:8080"


def main() -> str | None:
    part, server = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else SERVER
    try:
        with urlopen(f"{server}/api/v2/monitor/health", timeout=8) as answer:  # noqa: S310 - always http
            health = json.load(answer)
    except (OSError, ValueError) as error:
        return f"the API server does not answer: {error}"
    state = (health.get(part) or {}).get("status")
    return None if state == "healthy" else f"the API server calls {part} {state}"


if __name__ == "__main__":
    sys.exit(main())
