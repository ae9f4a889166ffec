"""The shipped configurations; a package, so that they are found wherever it is installed."""
