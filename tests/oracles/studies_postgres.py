"""Writes tests/fixtures/studies/optuna.sql: the study of optuna.db as Optuna 5.0.0 keeps it in PostgreSQL.

    python tests/oracles/studies_postgres.py postgresql://user:password@host/empty_database

Needs psycopg2, and pg_dump on the PATH.
"""

import os
import subprocess
import sys

import optuna

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "fixtures", "studies")
url = sys.argv[1]
source = "sqlite:///" + os.path.join(FIXTURES, "optuna.db")
optuna.copy_study(from_study_name="by optuna", from_storage=source, to_storage=url.replace("postgresql:", "postgresql+psycopg2:"))
dump = subprocess.run(
    ["pg_dump", "--inserts", "--no-owner", "--no-privileges", url], check=True, capture_output=True, text=True
).stdout
# What only psql understands, and what only a newer server does.
lines = [line for line in dump.splitlines() if not line.startswith(("\\", "--", "SET ", "SELECT pg_catalog.set_config"))]
with open(os.path.join(FIXTURES, "optuna.sql"), "w") as file:
    file.write("\n".join(line for line in lines if line) + "\n")
