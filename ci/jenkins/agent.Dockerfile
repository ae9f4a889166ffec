# The agent of the Jenkinsfile: Python, make, git, Helm, buildah and trivy beside Jenkins' own agent; Java and Maven, with
# which `make test-jenkins` runs the Jenkinsfile itself. What the project needs is installed by `make install`.
#   docker build -f ci/jenkins/agent.Dockerfile -t registry.example/fovea-agent:1 ci/jenkins
ARG AGENT=jenkins/inbound-agent:latest
ARG HELM=alpine/helm:4.0.0
ARG TRIVY=aquasec/trivy:latest
FROM ${AGENT} AS agent
FROM ${HELM} AS helm
FROM ${TRIVY} AS trivy

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
      buildah ca-certificates fuse-overlayfs git make maven openjdk-17-jdk-headless python3 python3-venv \
 && rm -rf /var/lib/apt/lists/* && useradd --uid 1000 --create-home jenkins && mkdir /cache && chown jenkins /cache
COPY --from=agent /usr/share/jenkins/agent.jar /usr/share/jenkins/agent.jar
COPY --from=agent /usr/local/bin/jenkins-agent /usr/local/bin/jenkins-agent
COPY --from=helm /usr/bin/helm /usr/local/bin/helm
COPY --from=trivy /usr/local/bin/trivy /usr/local/bin/trivy
ENV JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64 PIP_CACHE_DIR=/cache/pip UV_CACHE_DIR=/cache/uv TRIVY_CACHE_DIR=/cache/trivy
RUN helm version --short && trivy --version && buildah --version && test -x /usr/local/bin/jenkins-agent
USER jenkins
WORKDIR /home/jenkins
ENTRYPOINT ["/usr/local/bin/jenkins-agent"]
