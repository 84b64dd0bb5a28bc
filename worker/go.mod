module github.com/quickube/qscaler/worker

go 1.26.0
