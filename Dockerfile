# The image: built from the sources with Debian's packages, then nothing but the server, the
# libraries it loads and the certificate authorities, on an empty base. deploy/README.md has the
# sizes and how to run it.
#
#   docker build -t fetchmill --build-arg REVISION=$(git rev-parse --short=12 HEAD) .
#   docker run --rm --read-only -p 127.0.0.1:8080:8080 fetchmill
#
# The core is without the image ops and without CPython for ops of the operator's own
# (docs/python.md): --build-arg IMAGE_OPS=ON and --build-arg PYTHON_OPS=ON have them.
FROM debian:bookworm-slim AS build
WORKDIR /src
ARG IMAGE_OPS=OFF
ARG PYTHON_OPS=OFF
COPY deploy/install-packages.sh deploy/packages-build.txt deploy/packages-image.txt deploy/
RUN deploy/install-packages.sh deploy/packages-build.txt build \
  && { [ "${IMAGE_OPS}" != ON ] || deploy/install-packages.sh deploy/packages-image.txt build; }
COPY . .
ARG REVISION=unknown
RUN cmake --preset release -DFETCHMILL_TESTS=OFF -DFETCHMILL_REVISION=${REVISION} \
    -DFETCHMILL_IMAGE_OPS=${IMAGE_OPS} -DFETCHMILL_PYTHON_OPS=${PYTHON_OPS} \
  && cmake --build --preset release --target fetchmill \
  && deploy/image-root.sh build/release/fetchmill /image

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
