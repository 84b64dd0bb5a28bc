package kinds

import "testing"

// Two kinds of one type, or one without a port, would be found by some ScalerConfigs only.
func TestEachKindIsFoundByItsType(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range All() {
		if k.Type == "" || seen[k.Type] || k.Port == 0 {
			t.Errorf("the type %q has port %d, and was seen before: %t", k.Type, k.Port, seen[k.Type])
		}
		seen[k.Type] = true
	}
}
