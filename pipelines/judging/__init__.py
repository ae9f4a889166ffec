"""May the challenger replace the champion? Both are asked as they are served, on a test set that never changes."""
