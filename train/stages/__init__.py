"""One literal a training stage, beside the papers' numbers."""
