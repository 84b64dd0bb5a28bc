// Command release prepares the release of a version, and checks it before anybody sees it. docs/releasing.md has the
// steps around it.
//
//	release prepare VERSION DIRECTORY    make CHANGELOG.md, go.mod and go.sum those of the release
//	release check VERSION DIRECTORY      use the release as strangers do, by the tags that it will have
//
// A release is two modules of one version: the root by the tag VERSION, and worker/ by the tag worker/VERSION.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return errors.New("usage: release prepare|check VERSION DIRECTORY; VERSION is like v0.1.0")
	}
	command, version, dir := args[0], args[1], args[2]
	if err := validate(version); err != nil {
		return err
	}
	if err := clean(ctx, dir, version); err != nil {
		return err
	}
	switch command {
	case "prepare":
		return prepare(ctx, dir, version, time.Now().UTC().Format(time.DateOnly))
	case "check":
		return check(ctx, dir, version)
	}
	return fmt.Errorf("there is no command %q; there are prepare and check", command)
}
