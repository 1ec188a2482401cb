"""Describe a dataset: column statistics for its profile, and data quality rules from rulesets."""
