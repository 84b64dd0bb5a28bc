package demo

import (
	"fmt"
	"io"
	"time"
)

// plain tells the story as lines, where there is no terminal to draw on.
type plain struct {
	out     io.Writer
	chapter int
	told    map[news]bool
	figures string
	at      time.Duration // of the figures
}

// figuresEvery bounds how often the figures alone make a line.
const figuresEvery = time.Second

func (l *plain) show(p picture) {
	if p.chapter.number != l.chapter {
		l.chapter = p.chapter.number
		fmt.Fprintf(l.out, "\n%5s  == %d of %d: %s. %s\n", stamp(p.elapsed), p.chapter.number, p.chapter.of, p.chapter.title, p.chapter.text)
	}
	if l.told == nil {
		l.told = map[news]bool{}
	}
	for _, n := range p.news {
		if l.told[n] {
			continue
		}
		l.told[n] = true
		fmt.Fprintf(l.out, "%5s  %-8s  %-19s %s\n", stamp(n.at), n.from, n.what, n.reason())
	}
	atWork, live := 0, 0
	for _, w := range p.workers {
		if w.activity == busy {
			atWork++
		}
		if w.activity != gone {
			live++
		}
	}
	figures := fmt.Sprintf("waiting %d, in flight %d, desired %d, current %d of %d, draining %d of %d, at work %d of %d, done %d of %s",
		p.waiting, p.inFlight, p.desired, p.current, p.replicas, p.draining, p.replicas, atWork, live, p.done, howMany(p.pushed, "task"))
	if figures != l.figures && (l.at == 0 || p.elapsed-l.at >= figuresEvery) {
		l.figures, l.at = figures, p.elapsed
		fmt.Fprintf(l.out, "%5s  %-8s  %s\n", stamp(p.elapsed), "", figures)
	}
}

func (l *plain) close() {}
