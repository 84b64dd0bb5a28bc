package demo

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// ink puts emphasis on text. Without colours it changes nothing.
type ink struct{ colours bool }

// The emphases, by what they stand for.
const (
	title   = "1"    // bold
	faint   = "2"    // dim
	atWork  = "32"   // green
	leaving = "33"   // yellow
	broken  = "31"   // red
	ours    = "36"   // cyan: what the story does, not the operator
	heavy   = "1;31" // bold red
)

func (i ink) paint(style, text string) string {
	if !i.colours || style == "" || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// glyphs are the characters of bars; a terminal without UTF-8 gets others.
type glyphs struct{ full, empty, more string }

var (
	unicodeGlyphs = glyphs{full: "█", empty: "░", more: "…"}
	asciiGlyphs   = glyphs{full: "#", empty: ".", more: ">"}
)

// renderer makes lines of a picture. It is pure: the same picture and size make the same lines.
type renderer struct {
	ink
	glyphs
}

// Lines of the picture that are always there: title, chapter, its text, queue, fleet, comparison, two headers, three blanks.
const fixedLines = 11

// lines are at most height lines of at most width columns.
func (r renderer) lines(p picture, width, height int) []string {
	width, height = max(width, 40), max(height, fixedLines+2)
	rows := min(max(len(p.workers), 1), height-fixedLines-min(4, (height-fixedLines)/2))
	out := r.head(p, width)
	out = append(out, "")
	out = append(out, r.workers(p.workers, width, rows)...)
	out = append(out, "")
	out = append(out, r.news(p.news, width, height-len(out)-1)...)
	return out
}

func (r renderer) head(p picture, width int) []string {
	clock := stamp(p.elapsed)
	first := r.cut(fmt.Sprintf(" QScaler: %s on %s of %s", workerName, queue, p.broker), width-len(clock)-2)
	chapter := ""
	if p.chapter.of > 0 {
		chapter = fmt.Sprintf(" %d of %d  %s", p.chapter.number, p.chapter.of, p.chapter.title)
	}
	done := fmt.Sprintf("done %d of %s", p.done, howMany(p.pushed, "task"))
	fleet := fmt.Sprintf("desired %d   current %d of %s", p.desired, p.current, howMany(int(p.replicas), "worker"))
	second := fmt.Sprintf("draining %d of %d   %s", p.draining, p.replicas, done)
	if p.operatorDown { // what it wrote last is old by now
		fleet, second = r.paint(heavy, "the operator is dead: nobody decides"), done
	}
	const gauge = 24
	return []string{
		r.paint(faint, first) + strings.Repeat(" ", max(width-columns(first)-len(clock)-1, 1)) + r.paint(faint, clock),
		r.paint(title, r.cut(chapter, width)),
		r.paint(faint, r.cut("         "+p.chapter.text, width)),
		"",
		fmt.Sprintf(" waiting   %s %-4d  %s", r.paint(leaving, r.gauge(p.waiting, gauge)), p.waiting, fleet),
		fmt.Sprintf(" in flight %s %-4d  %s", r.paint(atWork, r.gauge(p.inFlight, gauge)), p.inFlight, second),
		r.paint(faint, r.cut(" instead   "+comparison(p), width)),
	}
}

// comparison says what a Deployment would have done so far.
func comparison(p picture) string {
	if p.left == 0 {
		return "a Deployment would have done the same: nobody has left yet"
	}
	text := fmt.Sprintf("a Deployment would have stopped %d of %d at work", len(p.stopped), p.left)
	if len(p.stopped) > 0 {
		text += ": " + strings.Join(p.stopped, ", ")
	}
	return text
}

// gauge is one character a message, and says where there are more.
func (r renderer) gauge(n int64, width int) string {
	if n > int64(width) {
		return strings.Repeat(r.full, width-1) + r.more
	}
	return strings.Repeat(r.full, int(n)) + strings.Repeat(" ", width-int(n))
}

func (r renderer) workers(workers []workerRow, width, rows int) []string {
	out := []string{r.paint(faint, r.cut(" WORKER      REV     DONE  DOES", width))}
	for i, w := range workers {
		if len(workers) > rows && i == rows-1 {
			out = append(out, r.paint(faint, fmt.Sprintf(" and %d more", len(workers)-i)))
			break
		}
		out = append(out, r.worker(w, width))
	}
	return out
}

func (r renderer) worker(w workerRow, width int) string {
	name := fmt.Sprintf(" %-10s  %-6s  %4d  ", w.name, clip(w.revision, 6), w.done)
	left := max(width-columns(name), 10)
	style, text := r.does(w, left)
	if w.activity == gone || w.activity == starting || w.activity == idle {
		return r.paint(faint, name) + r.paint(style, r.cut(text, left))
	}
	return name + r.paint(style, r.cut(text, left))
}

func (r renderer) does(w workerRow, width int) (style, text string) {
	switch w.activity {
	case gone:
		return faint, "has left"
	case starting:
		return faint, "starts"
	case killed:
		return broken, "was killed; the broker still has its task"
	case idle:
		if w.leave != "" {
			return leaving, "idle, with a grant: " + w.leave
		}
		return faint, "idle"
	}
	const beside = 43 // what may stand right of the bar
	bar := min(24, max(width-beside, 6))
	part := bar
	if w.length > 0 {
		part = min(int(int64(bar)*int64(w.spent)/int64(w.length)), bar)
	}
	text = fmt.Sprintf("%s%s %-5s %4.1f of %4.1f s", strings.Repeat(r.full, part), strings.Repeat(r.empty, bar-part),
		w.task, w.spent.Seconds(), w.length.Seconds())
	if w.leave != "" {
		return leaving, text + "  then leaves: " + w.leave
	}
	if w.stopped {
		return atWork, text + "  (instead: stopped)"
	}
	return atWork, text
}

// besideWhat is where the reasons of news begin.
const besideWhat = 27

// news is the newest of it, the latest last, each with its whole reason where that fits.
func (r renderer) news(all []news, width, lines int) []string {
	var out []string
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].from != fromOperator && all[i].from != fromStory { // that is seen in the table
			continue
		}
		item := r.item(all[i], width)
		if len(out) == 0 && len(item) > lines { // rather the beginning of one than nothing
			item = item[:max(lines, 0)]
		}
		if len(out)+len(item) > lines {
			break
		}
		out = append(item, out...)
	}
	return append([]string{r.paint(faint, " WHAT IS DONE, AND WHY")}, out...)
}

// item is one piece of news, on as many lines as it needs.
func (r renderer) item(n news, width int) []string {
	style := ""
	if n.from == fromStory {
		style = ours
	}
	what := fmt.Sprintf(" %5s %-19s ", stamp(n.at), n.what)
	why := n.why
	if n.what != "Create" && !strings.HasPrefix(n.what, "Create ") { // those who are new are in the table
		why = n.reason()
	}
	var out []string
	for i, line := range wrap(why, max(width-max(columns(what), besideWhat), 10)) {
		if i == 0 {
			out = append(out, r.paint(faint, what[:7])+r.paint(style, r.cut(what[7:]+line, width-7)))
			continue
		}
		out = append(out, r.paint(style, strings.Repeat(" ", besideWhat)+line))
	}
	return out
}

// wrap breaks text between words into lines of a width; a longer word is broken.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		for columns(word) > width {
			if line != "" {
				lines = append(lines, line)
				line = ""
			}
			lines = append(lines, clip(word, width))
			word = string([]rune(word)[width:])
		}
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// howMany is a number with its noun.
func howMany(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// cut shortens text to a width.
func (r renderer) cut(text string, width int) string {
	if columns(text) <= width {
		return text
	}
	return clip(text, max(width-columns(r.more), 0)) + r.more
}

// columns is how wide a text is: each of our characters takes one column.
func columns(text string) int { return utf8.RuneCountInString(text) }

func clip(text string, width int) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), width)])
}

// short is the part of a pod's name that tells it from the others: the last.
func short(pod string) string { return clip(pod[strings.LastIndexByte(pod, '-')+1:], 10) }

func stamp(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
