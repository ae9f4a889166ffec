"""Is it still right: reference profiles, drift statistics, alert rules, dashboards. `python -m monitoring --help`."""
