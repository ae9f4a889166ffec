"""Is endpoint B slower than endpoint A? Asked so that a noisy machine does not answer."""
