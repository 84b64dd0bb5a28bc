package redisserver

import "github.com/quickube/qscaler/local/programs"

// Program is redis-server.
var Program = programs.Program{Name: "redis-server", Packages: []string{"redis-server", "redis-tools"}}
