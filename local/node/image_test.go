package node

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestImagesAreMatchedWithoutTheirTag(t *testing.T) {
	for name, test := range map[string]struct {
		mapped []string
		image  string
		want   string // "" for none
	}{
		"as it is":                         {[]string{"mail", "mail:1"}, "mail:1", "mail:1"},
		"another tag":                      {[]string{"mail:1"}, "mail:2", "mail:1"},
		"no tag is mapped":                 {[]string{"mail", "mail:1", "mail:2"}, "mail:3", "mail"},
		"no tag is asked for":              {[]string{"mail:1"}, "mail", "mail:1"},
		"a digest":                         {[]string{"mail"}, "mail@sha256:" + strings.Repeat("0", 64), "mail"},
		"a tag and a digest":               {[]string{"mail:1"}, "mail:2@sha256:" + strings.Repeat("0", 64), "mail:1"},
		"a registry with a port":           {[]string{"r.example:5000/a/mail"}, "r.example:5000/a/mail:2", "r.example:5000/a/mail"},
		"a port is no tag":                 {[]string{"r.example"}, "r.example:5000/mail", ""},
		"two tags, and neither is the one": {[]string{"mail:1", "mail:2"}, "mail:3", ""},
		"another image":                    {[]string{"mail"}, "mailer", ""},
		"nothing is mapped":                {nil, "mail:1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := images{}
			for _, image := range test.mapped {
				m[image] = []string{image}
			}
			program, err := m.program(test.image)
			if got := strings.Join(program, " "); got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
		})
	}
}

func TestAnImageThatIsNotMappedSaysWhatToDo(t *testing.T) {
	_, err := images{"mail:1": nil, "a": nil}.program("r.example:5000/video:2")
	want := "local mode pulls no images, and this one is mapped to no command of this machine: " +
		"start local mode with --image r.example:5000/video=COMMAND, or give the container a command; mapped are a, mail:1"
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A condition of a QWorker shows 300 characters: cause and flag are among them, however many images are mapped.
func TestTheMessageOfAFailedPullIsShort(t *testing.T) {
	m := images{}
	for i := range 40 {
		m[fmt.Sprintf("example-worker-%02d:latest", i)] = nil
	}
	for _, image := range []string{"nothing-mapped:9", "r.example:5000/" + strings.Repeat("a", 60) + "/video:2"} {
		_, err := m.program(image)
		if err == nil {
			t.Fatal("no error")
		}
		said := "ImagePullBackOff: " + err.Error()
		if len(said) > 300 {
			t.Errorf("%d bytes: %s", len(said), said)
		}
		for _, want := range []string{"pulls no images", "--image " + repositoryOf(image) + "=COMMAND"} {
			if !strings.Contains(said, want) {
				t.Errorf("it does not say %q: %s", want, said)
			}
		}
	}
	if _, err := m.program("nothing-mapped:9"); !strings.HasSuffix(err.Error(), "mapped are example-worker-00:latest, example-worker-01:latest, example-worker-02:latest and 37 more") {
		t.Errorf("it says %s", err)
	}
}
