"""The loop closed: stages driven through their own front doors, and what they left put together."""
