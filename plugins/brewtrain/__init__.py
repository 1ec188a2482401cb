"""brewtrain: daily, unattended retraining on AWS from Apache Airflow.

Layers, each importing only what stands to its right: operators, sensors, triggers, links → hooks →
domain.
"""

from __future__ import annotations

__version__ = "0.1.0"
