"""`make run`: one whole retraining on this machine, with a summary."""
