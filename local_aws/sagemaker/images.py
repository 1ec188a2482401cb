"""Which container images local AWS can stand in for.

Registry paths:
https://docs.aws.amazon.com/sagemaker/latest/dg-ecr-paths/sagemaker-algo-docker-registry-paths.html
"""

from __future__ import annotations

import re

_REGISTRY = r"\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|c2s\.ic\.gov|sc2s\.sgov\.gov)"
_XGBOOST = re.compile(rf"{_REGISTRY}/(sagemaker-)?xgboost(:[\w.-]+)?(@sha256:[0-9a-f]{{64}})?")
_SCIKIT_LEARN = re.compile(rf"{_REGISTRY}/sagemaker-scikit-learn(:[\w.-]+)?(@sha256:[0-9a-f]{{64}})?")


def is_xgboost(image: str) -> bool:
    """Whether it is the built-in XGBoost image, of any region and version."""
    return _XGBOOST.fullmatch(image) is not None


def can_process(image: str) -> bool:
    """Whether a processing job's script can run here, with the packages of this environment."""
    return is_xgboost(image) or _SCIKIT_LEARN.fullmatch(image) is not None


def unsupported(image: str) -> str:
    """Return the message for an image that cannot run here."""
    return f"the image {image} cannot run on local AWS; use the built-in XGBoost image (…/sagemaker-xgboost:<version>)"
