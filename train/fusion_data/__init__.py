"""Training data of fusion: a propagation network is run over clips from reference frames, its soft masks are stored."""
