"""From a clip's index to its committed part, and the corpus around it."""
