# An image with the static binary of specterd and nothing else. See docker-compose.yml. For several platforms, such as
# docker buildx build --platform linux/amd64,linux/arm64, Go compiles on the platform of the builder.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w -X github.com/specterd/specterd/internal/cli.version=$VERSION" -o /out/specterd ./cmd/specterd \
 && mkdir -m 0700 /out/data && mkdir -m 1777 /out/tmp

# A node for trying specterd, from the package that `make bitcoind` uses.
FROM debian:sid-slim AS bitcoind
RUN apt-get update \
 && apt-get install --yes --no-install-recommends bitcoin-knots \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -m 0700 -o 65532 -g 65532 /node
USER 65532:65532
VOLUME /node
ENTRYPOINT ["bitcoind", "-datadir=/node"]

FROM scratch AS specterd
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /out/ /
USER 65532:65532
ENV HOME=/data HOST=0.0.0.0 SPECTER_DATA_FOLDER=/data
VOLUME /data
EXPOSE 25441
# Liveness, not readiness: a restart does not bring an unavailable node back.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["/specterd", "health"]
ENTRYPOINT ["/specterd"]
CMD ["serve"]
