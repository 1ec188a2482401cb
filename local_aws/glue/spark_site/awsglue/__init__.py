"""``import awsglue`` of job scripts: the part of AWS's library that scripts on S3 data use.

API: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-extensions.html
"""

from __future__ import annotations

from .dynamicframe import DynamicFrame

__all__ = ["DynamicFrame"]
