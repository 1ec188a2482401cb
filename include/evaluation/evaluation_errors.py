"""Why an evaluation cannot be made: one class per cause, each text one sentence of what, where and what to do.

Must not import anything: every module of the evaluation imports this one.
"""


class EvaluationError(Exception):
    """Base of every error that the evaluation raises on purpose; the processing job fails with its text."""


class DataError(EvaluationError):
    """A data file is absent, empty or not what the split writes (CSV of numbers without header, label first)."""


class OneClassError(DataError):
    """The validation rows hold only one of the two classes, so that no ranking metric exists."""


class ModelArchiveError(EvaluationError):
    """A model archive cannot be read, is not trusted, or holds no model that XGBoost loads."""


class PickledModelError(ModelArchiveError):
    """The archive holds a pickled model. Loading one runs whatever it says, so it is refused."""


class FeatureMismatchError(EvaluationError):
    """A model was trained on other features than the rows have."""


class DownloadError(EvaluationError):
    """A file cannot be fetched from S3, though it may be there."""


class MissingObjectError(DownloadError):
    """A file is not in S3."""
