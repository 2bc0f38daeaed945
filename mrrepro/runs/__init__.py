"""How a result is made: settings, stages, artifacts, receipts, checks and the ledger."""
