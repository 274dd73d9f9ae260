"""Write a corpus, crash-only: clips become parts, parts become shards, the index comes last."""
