"""Everything on one machine without a container: Triton, MLflow, Prometheus, what it scrapes, and the dashboard."""
