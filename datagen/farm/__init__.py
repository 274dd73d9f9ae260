"""The task farm: Ray and local processes."""
