// Command networkpolicy writes the NetworkPolicy that lets the operator reach the usual port of each kind of broker:
//
//	networkpolicy >config/network-policy/brokers.yaml
package main

import (
	"fmt"
	"os"

	"github.com/quickube/qscaler/internal/broker/kinds"
)

const policy = `# Generated from the list of kinds of brokers; run "make generate".
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: qscaler-brokers
  namespace: qscaler-system
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: qscaler
  policyTypes: [Egress]
  egress:
    - to: # brokers that are pods; add an ipBlock for those that are not
        - namespaceSelector: {}
      ports:
`

func main() {
	fmt.Fprint(os.Stdout, policy)
	for _, kind := range kinds.All() {
		for _, port := range append([]int32{kind.Port}, kind.MorePorts...) {
			fmt.Fprintf(os.Stdout, "        - port: %d # %s\n", port, kind.Type)
		}
	}
}
