# The load test as the chart's Job runs it (`loadTest.image`): `python -m loadtests`, fovea_client and a picture to ask about.
#   docker build -f docker/loadtests.Dockerfile -t fovea-loadtests .
# BASE is a Debian 12 with Python 3.11. Pictures of your own: FROM this image, COPY them to /images.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
COPY constraints.txt docker/loadtests.packages docker/install-pins /build/
RUN /build/install-pins /opt/fovea/python /build/loadtests.packages /build/constraints.txt
COPY loadtests /opt/fovea/code/loadtests
COPY clients/python/fovea_client /opt/fovea/code/fovea_client
# Noise: what is measured is time, and nothing decodes faster because of what it shows.
RUN mkdir /opt/fovea/images && /opt/fovea/python/bin/python3 -c "import numpy; from PIL import Image; \
pixels = numpy.random.default_rng(1).integers(0, 256, (512, 512, 3), numpy.uint8); \
Image.fromarray(pixels).save('/opt/fovea/images/noise.jpg')" && chmod -R a+rX /opt/fovea/code /opt/fovea/images

FROM ${BASE}
COPY --from=build /opt/fovea /opt/fovea
COPY --from=build /opt/fovea/images /images
ENV PATH=/opt/fovea/python/bin:/usr/bin:/bin PYTHONPATH=/opt/fovea/code PYTHONDONTWRITEBYTECODE=1 HOME=/tmp MPLCONFIGDIR=/tmp
RUN python -m loadtests run --help >/dev/null && python -c "import fovea_client"
USER 1000:1000
ENTRYPOINT []
CMD ["python", "-m", "loadtests", "--help"]
