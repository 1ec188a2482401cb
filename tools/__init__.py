"""What make calls: running, loading, checking and reporting.

Never deployed with Airflow; nothing in plugins/ or dags/ imports it.
"""

import sys
from pathlib import Path

# Airflow puts this folder on the path by itself; a tool that reads pipeline files needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "plugins"))
