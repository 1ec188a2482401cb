"""Generate the keys of docker-compose.yaml at its first start; later starts change nothing.

Each key is a file, because Airflow (``…_CMD: cat /keys/…``) and PostgreSQL
(``POSTGRES_PASSWORD_FILE``) read them from files. No key is printed.

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
_MODE = 0o640  # the database runs as another user of the same group


def make_keys(keys: Path, login: Path, database: str) -> bool:
    """Write the missing keys; those that exist stay, so an interrupted first start can continue.

    :param keys: Folder of the keys.
    :param login: Folder of ``passwords.json``, which only the api-server sees.
    :param database: ``host:port`` of PostgreSQL.
    :returns: Whether any key was written.
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
    """Write the missing keys.

    :returns: The exit code: 0 all keys exist, 1 a folder cannot be written.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.init_keys", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--keys", type=Path, required=True, help="folder of the keys")
    parser.add_argument("--login", type=Path, required=True, help="folder of passwords.json")
    parser.add_argument("--database", required=True, metavar="HOST:PORT", help="address of PostgreSQL")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        made = make_keys(options.keys, options.login, options.database)
    except OSError as error:
        print(
            f"init-keys: {error.filename} cannot be written ({error.strerror}); check who owns the volumes.",
            file=sys.stderr,
        )
        return 1
    done = "wrote" if made else "kept"
    print(f"init-keys: {done} the keys in {options.keys}; the login is in {options.login}/passwords.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
