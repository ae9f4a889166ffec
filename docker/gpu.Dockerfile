# Triton for GPU nodes: NVIDIA's server, and what our Python models import (tasks; NumPy, OpenCV and Pillow, pinned).
#   docker build -f docker/gpu.Dockerfile -t fovea-gpu .
ARG BASE=nvcr.io/nvidia/tritonserver:26.07-py3
FROM ${BASE}
COPY constraints.txt /tmp/constraints.txt
RUN awk '/^[a-z]/ {name = $1; sub(/==.*/, "", name); wanted = name == "numpy" || name == "opencv-python-headless" || name == "pillow"} wanted' \
      /tmp/constraints.txt > /tmp/pins.txt \
 && pip install --no-cache-dir --no-deps --require-hashes -r /tmp/pins.txt && rm /tmp/constraints.txt /tmp/pins.txt
COPY tasks /opt/fovea/code/tasks
ENV PYTHONPATH=/opt/fovea/code PYTHONDONTWRITEBYTECODE=1
RUN python3 -c "import cv2, numpy, tasks; assert numpy.__version__ < '2'"
USER 1000:1000
