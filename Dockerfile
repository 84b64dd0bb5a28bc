# The operator's image: docker build -t qscaler --build-arg VERSION=v0.1.0 .
FROM --platform=$BUILDPLATFORM golang:1.26.8@sha256:0f063af2d465d8dcae54cce04278ada488b96f77b42449c8d071e47d016cc65a AS build
ARG TARGETOS TARGETARCH
WORKDIR /src

# The modules first: they change less often than the source, and their layer stays.
COPY go.mod go.sum ./
COPY worker/go.mod worker/go.su[m] worker/
RUN go mod download

COPY api api
COPY cmd/qscaler cmd/qscaler
COPY internal internal
COPY worker worker
ARG VERSION
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags="-s -w -X github.com/quickube/qscaler/internal/version.stamp=$VERSION" -o /qscaler ./cmd/qscaler

FROM gcr.io/distroless/static:nonroot@sha256:e2e927ec666bae08560abb3c55d0659eceabb657f56b6782ab500a9fc7f555e3
COPY --from=build /qscaler /qscaler
USER 65532:65532
ENTRYPOINT ["/qscaler"]
