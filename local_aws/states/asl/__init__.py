"""Amazon States Language: paths, intrinsic functions, templates, choice rules and validation.

All are pure functions of JSON values. Follows https://states-language.net/spec.html and the Step
Functions developer guide. Must import neither moto nor boto3.
"""

from __future__ import annotations
