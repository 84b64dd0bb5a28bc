package revision

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/rand"
)

// hash is short, a legal label value, and free of vowels. It names a content when that is first stored and
// is read from there ever after: a hash over Go structs changes with the program's version, and must not
// roll a fleet for it. The fingerprints of its Secrets and ConfigMaps tell contents apart that differ in those alone, and
// collisions those that would have the same hash.
func hash(c Content, config map[string]string, collisions int) (string, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("hashing the revision, %w", err)
	}
	h := fnv.New64a()
	_, _ = h.Write(data)
	if len(config) > 0 {
		_, _ = h.Write([]byte(textOf(config)))
	}
	_, _ = h.Write([]byte(strconv.Itoa(collisions)))
	return safe(h.Sum64(), 10), nil
}

// IsNamed reports whether a hash is the one that this content gets when it is stored first. Another version of the program
// may have given it another.
func (c Content) IsNamed(name string) bool {
	own, err := hash(c, nil, 0)
	return err == nil && own == name
}

// safe is a number in length characters that are legal in names and labels and spell nothing.
func safe(n uint64, length int) string {
	const digits = 13 // of the largest uint64 to base 36
	text := strconv.FormatUint(n, 36)
	padded := strings.Repeat("0", digits-len(text)) + text
	return rand.SafeEncodeString(padded[digits-length:])
}
