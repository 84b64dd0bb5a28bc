# The operator's image: docker build -t qscaler .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
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
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags='-s -w' -o /qscaler ./cmd/qscaler

FROM gcr.io/distroless/static:nonroot
COPY --from=build /qscaler /qscaler
USER 65532:65532
ENTRYPOINT ["/qscaler"]
