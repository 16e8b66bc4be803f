#!/usr/bin/env bash
# Brings Airflow's database to the installed version and makes the administrator; run again, it changes only what changed.
set -euo pipefail
# Only the owner may read the password.
umask 077

airflow db migrate
python - <<'PYTHON'
import json
import os
from pathlib import Path

file = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
scratch = file.with_suffix(".writing")
scratch.write_text(json.dumps({"admin": os.environ["LAKEHOUSE_AIRFLOW_PASSWORD"]}))
scratch.replace(file)
PYTHON
