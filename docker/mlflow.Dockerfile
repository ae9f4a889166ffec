# MLflow's tracking server and registry, in the version that training writes with. Runs and artefacts are in /mlflow.
#   docker build -f docker/mlflow.Dockerfile -t fovea-mlflow .
#   docker run --read-only --tmpfs /tmp -v mlflow:/mlflow -p 127.0.0.1:5000:5000 fovea-mlflow
# BASE is a Debian 12 with Python 3.11.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
COPY constraints.txt docker/mlflow.packages docker/install-pins /build/
RUN /build/install-pins /opt/fovea/python /build/mlflow.packages /build/constraints.txt

FROM ${BASE}
COPY --from=build /opt/fovea /opt/fovea
# It reports to nobody, and runs no jobs of language models.
ENV PATH=/opt/fovea/python/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 HOME=/tmp MPLCONFIGDIR=/tmp GIT_PYTHON_REFRESH=quiet \
    MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
RUN mlflow server --help >/dev/null && install -d -o 1000 -g 1000 /mlflow
USER 1000:1000
VOLUME /mlflow
EXPOSE 5000
ENTRYPOINT []
# It answers only who asks for it by one of these names: a page of another site cannot.
CMD ["mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--workers", "1", \
     "--allowed-hosts", "localhost:5000,127.0.0.1:5000,mlflow:5000", \
     "--backend-store-uri", "sqlite:////mlflow/mlflow.db", "--artifacts-destination", "/mlflow/artifacts"]
