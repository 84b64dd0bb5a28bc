package operator

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/go-logr/logr"

	"github.com/quickube/qscaler/internal/logs"
)

// standing is what the operator waits for, and what it does without. It is there before the manager is, and longer.
type standing struct {
	log logr.Logger
	// versionAsked is done once the API server was asked for its version, however often the operator starts over.
	versionAsked sync.Once

	mu sync.Mutex
	// waitsFor is what must happen before anything is done, in words; "" where nothing must.
	waitsFor string
	// without has what is missing, whatever depends on it, in words.
	without func() (missing map[string]error, all bool)
}

func newStanding(log logr.Logger) *standing {
	return &standing{log: log, without: func() (map[string]error, bool) { return nil, false }}
}

// waitFor says what is waited for, and logs it once.
func (s *standing) waitFor(what string, why error) {
	words := what
	if why != nil {
		words = fmt.Sprintf("%s: %v", what, why)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if words == s.waitsFor {
		return
	}
	if s.waitsFor = words; words != "" && why != nil {
		logs.Warn(s.log, "Waiting", "for", what, "err", why.Error())
	}
}

// doWithout says where to ask for what is missing.
func (s *standing) doWithout(missing func() (map[string]error, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.without = missing
}

// ready has what a person is to know of the operator, and the error where it is not ready.
func (s *standing) ready() (notes string, err error) {
	s.mu.Lock()
	waitsFor, without := s.waitsFor, s.without
	s.mu.Unlock()
	if waitsFor != "" {
		return "", fmt.Errorf("waiting for %s", waitsFor)
	}
	missing, all := without()
	var lines []string
	for _, namespace := range slices.Sorted(maps.Keys(missing)) {
		lines = append(lines, fmt.Sprintf("no rights in the namespace %s: %v", namespace, missing[namespace]))
	}
	notes = strings.Join(lines, "\n")
	if all && len(missing) > 0 {
		return "", errors.New(notes)
	}
	return notes, nil
}
