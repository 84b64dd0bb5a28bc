package redis

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
	"golang.org/x/mod/semver"

	"github.com/quickube/qscaler/internal/broker"
)

// oldestVersion is the first that has what the protocol of the lists uses (LMOVE, BLMOVE, RPOP with a count).
const oldestVersion = "6.2.0"

// ofRedis is the name that every server gives to the version of Redis that it is, or that it is made like.
const ofRedis = "redis_version"

// settings are what a server says of itself.
type settings struct {
	// info has the fields of INFO by their names.
	info map[string]string
	// save has the points at which the server saves its data, "" for none; saveKnown is true where it has said so.
	save      string
	saveKnown bool
}

// Inspect is broker.Inspector's. The server's answers are asked for one by one: a user may be allowed one and not the
// other, and a proxy may know neither.
func (d *driver) Inspect(ctx context.Context) ([]broker.Risk, error) {
	s := settings{info: map[string]string{}}
	for _, section := range []string{"server", "memory", "persistence"} {
		text, err := d.client.Do(ctx, d.client.B().Info().Section(section).Build()).ToString()
		if err != nil && !isAnswer(err) {
			return nil, classify(err, d.config)
		}
		s.add(text)
	}
	saves, err := d.client.Do(ctx, d.client.B().ConfigGet().Parameter("save").Build()).AsStrMap()
	if err != nil && !isAnswer(err) {
		return nil, classify(err, d.config)
	}
	s.save, s.saveKnown = saves["save"]
	return s.risks(), nil
}

// isAnswer reports whether the server has answered, if only with a refusal or with what this driver does not understand.
func isAnswer(err error) bool {
	_, isRefused := refused(err)
	return isRefused || rueidis.IsRedisNil(err) || rueidis.IsParseErr(err)
}

// add takes the fields of a section of INFO.
func (s *settings) add(section string) {
	for line := range strings.Lines(section) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			s.info[name] = value
		}
	}
}

// oldRedis is the version of a server that is too old, "" where it is not, or where that is not known. A server that is
// made like Redis has a version of its own, such as valkey_version or dragonfly_version. Which commands it has does not
// follow from the version of Redis that it names as well.
func (s *settings) oldRedis() string {
	for name := range s.info {
		if strings.HasSuffix(name, "_version") && name != ofRedis && name != "gcc_version" {
			return ""
		}
	}
	version := s.info[ofRedis]
	if semver.IsValid("v"+version) && semver.Compare("v"+version, "v"+oldestVersion) < 0 {
		return version
	}
	return ""
}

// risks are those of the settings that are known.
func (s *settings) risks() []broker.Risk {
	var risks []broker.Risk
	add := func(reason broker.Reason, format string, args ...any) {
		risks = append(risks, broker.Risk{Reason: reason, Message: fmt.Sprintf(format, args...)})
	}
	if version := s.oldRedis(); version != "" {
		add(broker.ReasonTooOld, "the server says that it is Redis %s; workers need LMOVE and BLMOVE, which Redis has since %s: update the server", version, oldestVersion)
	}
	limited := s.info["maxmemory"] != "" && s.info["maxmemory"] != "0"
	switch policy := s.info["maxmemory_policy"]; {
	case !limited || policy == "noeviction":
	case strings.HasPrefix(policy, "allkeys-"):
		add(broker.ReasonMayEvict, "the server removes any key, also queues with all their tasks, when its memory is full (maxmemory-policy %s); set maxmemory-policy noeviction", policy)
	case strings.HasPrefix(policy, "volatile-"):
		add(broker.ReasonMayEvict, "the server removes keys that expire when its memory is full (maxmemory-policy %s): marks that keep tasks unique, and the claim by which the operator returns tasks; set maxmemory-policy noeviction", policy)
	}
	if s.info["aof_enabled"] == "0" && s.saveKnown && s.save == "" {
		add(broker.ReasonNotPersistent, "the server keeps its data in memory alone (appendonly no, no save points): a restart of it loses every task; set appendonly yes")
	}
	return risks
}
