"""Make the keys of docker-compose.yaml at its first start; later starts change nothing.

One file a key, because that is how Airflow (``…_CMD: cat /keys/…``) and PostgreSQL
(``POSTGRES_PASSWORD_FILE``) take them. Prints no key.

    python -m tools.init_keys --keys /keys --login /login --database postgres:5432
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from tools.airflow_env import ADMIN, Secrets, write_private

DATABASE = "airflow"
USER = "airflow"
_MODE = 0o640  # the database runs as another user, in the same group


def make_keys(keys: Path, login: Path, database: str) -> bool:
    """Write every key that is not there; returns whether any was written.

    Parameters: `keys`, folder of the keys; `login`, folder of ``passwords.json``, which only the
    api-server sees; `database`, ``host:port`` of PostgreSQL. All keys of one folder are made
    together, the last one last: a first start that is broken off is taken up again with the same
    keys where they exist.
    """
    made = Secrets.generate()
    password_file = keys / "database_password"
    password = password_file.read_text() if password_file.exists() else made.database_password
    wanted = {
        password_file: password,
        keys / "fernet_key": made.fernet_key,
        keys / "jwt_secret": made.jwt_secret,
        keys / "api_secret_key": made.api_secret_key,
        keys / "database_url": f"postgresql+psycopg2://{USER}:{password}@{database}/{DATABASE}",
        login / "passwords.json": json.dumps({ADMIN: made.admin_password}) + "\n",
    }
    missing = {path: text for path, text in wanted.items() if not path.exists()}
    for path, text in missing.items():
        write_private(path, text)
        path.chmod(0o600 if path.parent == login else _MODE)
    return bool(missing)


def main(arguments: list[str] | None = None) -> int:
    """Make the keys; answers the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.init_keys", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--keys", type=Path, required=True)
    parser.add_argument("--login", type=Path, required=True)
    parser.add_argument("--database", required=True, metavar="HOST:PORT")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        made = make_keys(options.keys, options.login, options.database)
    except OSError as error:
        print(
            f"init-keys: {error.filename} cannot be written ({error.strerror}); look at the volumes' owner.",
            file=sys.stderr,
        )
        return 1
    done = "made" if made else "kept"
    print(f"init-keys: {done} the keys in {options.keys}; the login is in {options.login}/passwords.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
