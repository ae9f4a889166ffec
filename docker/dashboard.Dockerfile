# The dashboard: Streamlit, fovea_client and the page. It takes the words of `streamlit run`, then -- and the page's own.
#   docker build -f docker/dashboard.Dockerfile -t fovea-dashboard .
#   docker run --read-only --tmpfs /tmp -p 127.0.0.1:8501:8501 fovea-dashboard --server.address=0.0.0.0 -- --url triton:8001
# BASE is a Debian 12 with Python 3.11.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
COPY constraints.txt docker/dashboard.packages docker/install-pins /build/
RUN /build/install-pins /opt/fovea/python /build/dashboard.packages /build/constraints.txt
COPY clients/dashboard /opt/fovea/code/clients/dashboard
COPY clients/python/fovea_client /opt/fovea/code/clients/python/fovea_client
RUN chmod -R a+rX /opt/fovea/code

FROM ${BASE}
COPY --from=build /opt/fovea /opt/fovea
ENV PATH=/opt/fovea/python/bin:/usr/bin:/bin PYTHONPATH=/opt/fovea/code/clients/python:/opt/fovea/code/clients/dashboard \
    PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
RUN python -c "import fovea_client, fovea_dashboard.page"
USER 1000:1000
EXPOSE 8501
ENTRYPOINT ["python", "-m", "streamlit", "run", "/opt/fovea/code/clients/dashboard/app.py"]
CMD ["--server.address=0.0.0.0"]
