"""Why an evaluation cannot be made: one class per cause.

Each text is one sentence with what is wrong, where, and what to do.

Must not import anything: every module of the evaluation imports this one.
"""


class EvaluationError(Exception):
    """Base of every error that ends the evaluation; the processing job fails with its text."""


class DataError(EvaluationError):
    """A data file is absent, empty or not what the split writes: numbers only, label first."""


class OneClassError(DataError):
    """The validation rows have only one of the two classes, so that no ranking metric exists."""


class ModelArchiveError(EvaluationError):
    """A model archive cannot be read, is not trusted, or holds no model that XGBoost loads."""


class PickledModelError(ModelArchiveError):
    """The archive holds a pickled model; loading one would run the code in it."""


class FeatureMismatchError(EvaluationError):
    """A model was trained on other features than the rows have."""


class DownloadError(EvaluationError):
    """A file cannot be fetched from S3, although it may exist."""


class MissingObjectError(DownloadError):
    """A file does not exist in S3."""
