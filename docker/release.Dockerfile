# A placed release as an image: what the chart's `modelRepository.type=image` mounts. The context is the release:
#   docker build -f docker/release.Dockerfile -t registry.example/vessels:1 "$(realpath build/model_repository)"
# `imageCopy` starts it to copy from itself: give it a base with cp, and its path to the chart as modelRepository.path:
#   --build-arg BASE=debian:bookworm-slim --build-arg FOLDER=/release/
ARG BASE=scratch
FROM ${BASE}
ARG FOLDER=/
COPY . ${FOLDER}
USER 1000:1000
