"""`make run`: one whole retraining on this machine, and one readable summary of it."""
