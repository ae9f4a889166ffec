"""The dashboard: look at what an endpoint answers, through fovea_client alone."""
