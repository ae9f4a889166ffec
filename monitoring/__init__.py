"""Is it still right: reference profiles, drift statistics, alert rules and dashboards. `python -m monitoring --help`."""
