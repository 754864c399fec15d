# The image: built from the sources with Debian's packages, then nothing but the server, the
# libraries it loads and the certificate authorities, on an empty base. deploy/README.md has the
# sizes and how to run it.
#
#   docker build -t fetchmill --build-arg REVISION=$(git rev-parse --short=12 HEAD) .
#   docker run --rm --read-only -p 127.0.0.1:8080:8080 fetchmill
#
# More than the core: --build-arg CMAKE_FLAGS=-DFETCHMILL_PYTHON_OPS=ON --build-arg
# EXTRA_PATHS=/usr/lib/python3.11 has CPython in it, for ops of the operator's own (docs/python.md).
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY deploy/install-packages.sh deploy/packages-build.txt deploy/
RUN deploy/install-packages.sh deploy/packages-build.txt build
COPY . .
ARG REVISION=unknown
# For more than the core: options of CMakeLists.txt, such as -DNAME=ON, and files or folders of this
# stage that the image needs besides what ldd finds.
ARG CMAKE_FLAGS=
ARG EXTRA_PATHS=
RUN cmake --preset release -DFETCHMILL_TESTS=OFF -DFETCHMILL_PYTHON_OPS=OFF \
    -DFETCHMILL_REVISION=${REVISION} ${CMAKE_FLAGS} \
  && cmake --build --preset release --target fetchmill \
  && deploy/image-root.sh build/release/fetchmill /image ${EXTRA_PATHS}

FROM scratch
ARG REVISION=unknown
LABEL org.opencontainers.image.title="fetchmill" \
  org.opencontainers.image.description="Fetches URLs and processes every body on every core: one HTTP call." \
  org.opencontainers.image.version="0.1.0" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
ENV FETCHMILL_SERVER_LISTEN=0.0.0.0:8080
EXPOSE 8080
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/usr/local/bin/fetchmill", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/fetchmill"]
CMD ["serve"]
