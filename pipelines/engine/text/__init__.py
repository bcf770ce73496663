"""Text: tokenisers, batches of like lengths, cached token ids."""
