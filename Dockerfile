# The tag names an exact release, but a tag can move and no digest has been looked up for it: to build for production, pass
# --build-arg PYTHON_IMAGE=python:3.11.16-slim-trixie@sha256:... with the digest that the registry gives.
ARG PYTHON_IMAGE=python:3.11.16-slim-trixie

# --- builder: the project's wheel, and a venv with it and the locked packages. Nothing here needs a compiler. -----------
FROM ${PYTHON_IMAGE} AS builder

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

WORKDIR /build

COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/almoner \
    && /opt/almoner/bin/python -m pip install --only-binary :all: --require-hashes -r requirements.lock \
    && python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --only-binary :all: --require-hashes -r requirements-build.lock

COPY pyproject.toml README.md LICENSE NOTICE ./
COPY protos protos
COPY service service
COPY gateway gateway
RUN /opt/build/bin/python -m hatchling build --target wheel --directory dist \
    && /opt/almoner/bin/python -m pip install --no-index --no-deps dist/*.whl \
    && /opt/almoner/bin/python -m pip uninstall --yes pip

# --- the image ----------------------------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE}

LABEL org.opencontainers.image.title="Almoner" \
      org.opencontainers.image.description="An OAuth application and profile service" \
      org.opencontainers.image.licenses="Apache-2.0"

# Fixed ids, so that a volume's files belong to the same user in every version of the image.
RUN groupadd --system --gid 10001 almoner \
    && useradd --system --uid 10001 --gid almoner --no-create-home --home-dir /data --shell /usr/sbin/nologin almoner \
    && install --directory --owner=almoner --group=almoner --mode=0700 /data

COPY --from=builder /opt/almoner /opt/almoner

# In a container, other containers must reach the listeners; who else does is decided by what is published.
ENV PATH=/opt/almoner/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ALMONER_DATA_DIR=/data \
    ALMONER_REST_LISTEN=0.0.0.0:8080 \
    ALMONER_GRPC_LISTEN=0.0.0.0:50051

USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8080 50051

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s --retries=3 CMD ["almoner", "healthcheck"]

ENTRYPOINT ["almoner"]
CMD ["serve"]
