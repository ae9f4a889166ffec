# Triton for CPU nodes: the embedded server, our backends, and what the models import. It takes tritonserver's flags.
#   docker build -f docker/cpu.Dockerfile -t fovea-cpu .
#   docker run --read-only --tmpfs /tmp --shm-size 256m -v "$PWD/build/model_repository:/models:ro" fovea-cpu \
#     tritonserver --model-repository=/models --model-config-name=cpu --disable-auto-complete-config
# BASE is a Debian 12 with Python 3.11 and its shared library.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
COPY constraints.txt docker/cpu.packages docker/install-pins /build/
RUN /build/install-pins /opt/fovea/python /build/cpu.packages /build/constraints.txt
COPY tasks /build/tasks
COPY serving/backends /opt/fovea/backends
COPY docker/tritonserver /opt/fovea/bin/tritonserver
# The stub must lie beside the backend's library, must be this interpreter's own, and reads no PYTHONPATH.
RUN cd /opt/fovea && packages=$(echo python/lib/python3.*/site-packages) && wheel=$packages/pytriton/tritonserver \
 && version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])') \
 && mkdir server && mv "$wheel/bin" server/bin && mv "$packages/nvidia_pytriton.libs" lib \
 && mv "$wheel/backends/python" backends/python \
 && mv "$wheel/python_backend_stubs/$version/triton_python_backend_stub" backends/python/ \
 && rm -r "$packages/pytriton" \
 && mv /build/tasks "$packages/tasks" && chmod -R a+rX backends bin "$packages/tasks" \
 && (python3 -m compileall -q "$packages" || echo "some optional modules do not compile")

FROM ${BASE}
COPY --from=build /opt/fovea /opt/fovea
# The first python3 of PATH decides which packages the stub sees. No byte code: the root and the release are read-only.
ENV PATH=/opt/fovea/bin:/opt/fovea/python/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
RUN python3 -c "import cv2, numpy, onnxruntime, openvino, tasks; assert numpy.__version__ < '2'"
USER 1000:1000
EXPOSE 8000 8001 8002
CMD ["tritonserver", "--help"]
