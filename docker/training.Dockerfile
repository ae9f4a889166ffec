# What trains, exports, judges and looks for drift: every stage of the project that ends by itself. It takes python's words.
#   docker build -f docker/training.Dockerfile -t fovea-training .
#   docker run --gpus all --shm-size 2g -v "$PWD:/data" -w /data fovea-training -m training data.root=<folder>
# The steps of `python -m pipelines compile` run in it, and so may the chart's drift job (`drift.image`).
# BASE is a Debian 12 with Python 3.11 and its shared library; CUDA's libraries come with PyTorch, the driver from the host.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
COPY constraints.txt docker/training.packages docker/install-pins /build/
RUN /build/install-pins /opt/fovea/python /build/training.packages /build/constraints.txt
COPY tasks /opt/fovea/code/tasks
COPY training /opt/fovea/code/training
COPY export /opt/fovea/code/export
COPY model_repository /opt/fovea/code/model_repository
COPY serving /opt/fovea/code/serving
COPY loadtests /opt/fovea/code/loadtests
COPY monitoring /opt/fovea/code/monitoring
COPY pipelines /opt/fovea/code/pipelines
COPY helm-chart/rules /opt/fovea/code/helm-chart/rules
COPY weights /opt/fovea/code/weights
COPY clients/python/fovea_client /opt/fovea/code/clients/python/fovea_client
# A file of paths and no PYTHONPATH: the stubs of the Triton that judges read none.
RUN packages=$(echo /opt/fovea/python/lib/python3.*/site-packages) \
 && printf '%s\n' /opt/fovea/code /opt/fovea/code/clients/python >"$packages/fovea.pth" && chmod -R a+rX /opt/fovea/code "$packages/fovea.pth"

FROM ${BASE}
COPY --from=build /opt/fovea /opt/fovea
ENV PATH=/opt/fovea/python/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 HOME=/tmp MPLCONFIGDIR=/tmp
RUN for stage in training export monitoring pipelines loadtests serving; do python -m $stage --help >/dev/null || exit 1; done \
 && python -c "import torch, deeplake, mlflow, onnxruntime, openvino; import numpy; assert numpy.__version__ < '2'"
USER 1000:1000
ENTRYPOINT ["python"]
CMD ["-m", "training", "--help"]
