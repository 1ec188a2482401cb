"""`make backfill-report`: backfill every month of the bank marketing data and write a page."""
