"""Download bank-additional-full.csv from UCI into var/data, once, and verify it.

The download is a zip file in a zip file. The CSV file is verified by its size, its header, and the
number of rows of each month in order, which gives the rows their dates. Must not import Airflow or
boto3.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import os
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from tools.bank_marketing import CALL_MONTHS, COLUMNS, DELIMITER, FULL_ROWS

URL = "https://archive.ics.uci.edu/static/public/222/bank+marketing.zip"
INNER_ARCHIVE = "bank-additional.zip"
MEMBER = "bank-additional/bank-additional-full.csv"
SIZE_BYTES = 5_834_924
MAXIMUM_DOWNLOAD_BYTES = 20_000_000
TIMEOUT_SECONDS = 60
TARGET = Path(__file__).resolve().parent.parent / "var" / "data" / "bank-additional-full.csv"


class FetchError(Exception):
    """The file could not be downloaded, or is another one; the message is one sentence."""


def check(data: bytes) -> None:
    """Verify that `data` is bank-additional-full.csv.

    :raises FetchError: Its size, its header or the rows of its months are other ones.
    """
    if len(data) != SIZE_BYTES:
        raise FetchError(
            f"the file has {len(data)} bytes instead of {SIZE_BYTES}; UCI has changed it, or the download is broken."
        )
    lines = data.decode("utf-8", errors="replace").splitlines()
    header = tuple(name.strip('"') for name in lines[0].split(DELIMITER))
    if header != COLUMNS:
        raise FetchError(f"the file's header is {', '.join(header)}; this is not the bank marketing data.")
    place = COLUMNS.index("month")
    months = (line.split(DELIMITER)[place].strip('"') for line in lines[1:])
    runs = [(name, len(list(group))) for name, group in itertools.groupby(months)]
    if runs != [(month.abbreviation, month.rows) for month in CALL_MONTHS]:
        raise FetchError(
            f"the months do not have the expected rows ({FULL_ROWS} in 26 months); UCI has changed the file."
        )


def unpack(archive: bytes) -> bytes:
    """Return the CSV file from UCI's archive.

    :raises FetchError: The archive does not contain it.
    """
    try:
        with (
            zipfile.ZipFile(io.BytesIO(archive)) as outer,
            zipfile.ZipFile(io.BytesIO(outer.read(INNER_ARCHIVE))) as inner,
        ):
            return inner.read(MEMBER)
    except (KeyError, zipfile.BadZipFile) as error:
        raise FetchError(
            f"{URL} has no {INNER_ARCHIVE} that contains {MEMBER} ({error}); UCI has changed its archive."
        ) from error


def download(url: str) -> bytes:
    """Download the archive.

    :raises FetchError: The server cannot be reached, or sends over MAXIMUM_DOWNLOAD_BYTES.
    """
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            data: bytes = response.read(MAXIMUM_DOWNLOAD_BYTES + 1)
    except (urllib.error.URLError, OSError) as error:
        raise FetchError(
            f"{url} cannot be reached ({getattr(error, 'reason', error)}); connect to the internet, "
            "or use generated data (make run without DATA)."
        ) from error
    if len(data) > MAXIMUM_DOWNLOAD_BYTES:
        raise FetchError(
            f"{url} is larger than {MAXIMUM_DOWNLOAD_BYTES} bytes; this is not the bank marketing archive."
        )
    return data


def main(arguments: list[str] | None = None) -> int:
    """Download the file unless it exists.

    :returns: The exit code: 0 the file exists and is verified, 1 not.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.fetch_data", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=TARGET, metavar="FILE", help="file to write (default %(default)s)")
    target: Path = parser.parse_args(arguments).out
    try:
        if target.exists():
            check(target.read_bytes())
            print(f"data: {target} already exists and is the right file.")
            return 0
        data = unpack(download(URL))
        check(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.name}.{os.getpid()}.part")
        scratch.write_bytes(data)
        scratch.replace(target)
    except (FetchError, OSError) as error:
        print(f"data: {error}", file=sys.stderr)
        return 1
    print(f"data: {target}, SHA-256 {hashlib.sha256(data).hexdigest()}; next: make run DATA={os.path.relpath(target)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
