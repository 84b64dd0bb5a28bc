package demo

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"
)

// viewer shows the story.
type viewer interface {
	// show shows a moment.
	show(picture)
	// close restores the terminal.
	close()
}

// newViewer is a live screen where out is a terminal that can be one, else a log.
func newViewer(out *os.File) viewer {
	fd := int(out.Fd())
	if kind := os.Getenv("TERM"); !term.IsTerminal(fd) || kind == "" || kind == "dumb" {
		return &plain{out: out}
	}
	s := &screen{out: out, size: func() (int, int) {
		width, height, err := term.GetSize(fd)
		if err != nil {
			return 80, 24
		}
		return width, height
	}}
	s.renderer = renderer{ink: ink{colours: os.Getenv("NO_COLOR") == ""}, glyphs: glyphsFor(os.Getenv)}
	s.open()
	return s
}

// glyphsFor takes UTF-8 unless the terminal or the locale says otherwise.
func glyphsFor(env func(string) string) glyphs {
	if env("TERM") == "linux" {
		return asciiGlyphs
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToUpper(env(name)); locale != "" {
			if strings.Contains(locale, "UTF-8") || strings.Contains(locale, "UTF8") {
				return unicodeGlyphs
			}
			return asciiGlyphs
		}
	}
	return unicodeGlyphs
}

// screen draws in place, on the terminal's other screen. Only lines that changed are written, in one write,
// so that nothing flickers.
type screen struct {
	renderer
	out  io.Writer
	size func() (width, height int)

	drawn         []string
	width, height int
}

// Control sequences.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l" // the other screen, no cursor, no wrapping
	leaveScreen = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	clearAll    = "\x1b[2J"
	clearLine   = "\x1b[K"
)

func (s *screen) open() { fmt.Fprint(s.out, enterScreen+clearAll) }

func (s *screen) close() { fmt.Fprint(s.out, leaveScreen) }

func (s *screen) show(p picture) {
	width, height := s.size()
	var frame strings.Builder
	if width != s.width || height != s.height {
		frame.WriteString(clearAll)
		s.drawn, s.width, s.height = nil, width, height
	}
	lines := s.lines(p, width, height)
	lines = lines[:min(len(lines), height)]
	for i := range max(len(lines), len(s.drawn)) {
		line := ""
		if i < len(lines) {
			line = lines[i]
		}
		if i < len(s.drawn) && s.drawn[i] == line {
			continue
		}
		fmt.Fprintf(&frame, "\x1b[%d;1H%s%s", i+1, line, clearLine)
	}
	s.drawn = slices.Clone(lines)
	if frame.Len() > 0 {
		fmt.Fprint(s.out, frame.String())
	}
}
