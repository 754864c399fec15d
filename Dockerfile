# The image: built from the sources with the packages of one list, run with those of another.
#
#   docker build -t fetchmill --build-arg REVISION=$(git rev-parse --short=12 HEAD) .
#   docker run --rm -p 127.0.0.1:8080:8080 fetchmill
#
# With --build-arg PYTHON_OPS=ON it runs the operator's own Python, docs/python.md, and has CPython in it.
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY deploy/install-packages.sh deploy/packages-build.txt deploy/
RUN deploy/install-packages.sh deploy/packages-build.txt build
COPY . .
ARG REVISION=unknown
ARG PYTHON_OPS=OFF
RUN cmake --preset release -DFETCHMILL_TESTS=OFF -DFETCHMILL_REVISION=${REVISION} \
    -DFETCHMILL_PYTHON_OPS=${PYTHON_OPS} \
  && cmake --build --preset release --target fetchmill \
  && strip build/release/fetchmill

FROM debian:bookworm-slim
ARG REVISION=unknown
ARG PYTHON_OPS=OFF
LABEL org.opencontainers.image.title="fetchmill" \
  org.opencontainers.image.description="Fetches URLs and processes every body on every core: one HTTP call." \
  org.opencontainers.image.version="0.1.0" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.licenses="Apache-2.0"
COPY deploy/install-packages.sh deploy/packages-runtime.txt /tmp/deploy/
RUN /tmp/deploy/install-packages.sh /tmp/deploy/packages-runtime.txt core \
  && if [ "$PYTHON_OPS" = ON ]; then \
       /tmp/deploy/install-packages.sh /tmp/deploy/packages-runtime.txt python; fi \
  && rm -rf /tmp/deploy /var/lib/apt/lists/*
COPY --from=build /src/build/release/fetchmill /usr/local/bin/fetchmill
COPY LICENSE /usr/share/doc/fetchmill/LICENSE
ENV FETCHMILL_SERVER_LISTEN=0.0.0.0:8080
EXPOSE 8080
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["fetchmill", "healthcheck"]
ENTRYPOINT ["fetchmill"]
CMD ["serve"]
