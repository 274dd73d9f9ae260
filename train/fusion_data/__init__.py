"""Training data of the fusion module: masks propagated from reference frames, as shards."""
