"""Quality rules learnt from good windows, as a diff of the pipeline file: ``make learn``."""
