"""`make backfill-report`: a backfill of every month of the bank marketing data, and the page about it."""
