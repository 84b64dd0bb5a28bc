package main

import (
	"reflect"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestPodSpecIsLikeThatOfADeployment(t *testing.T) {
	var kind, want map[string]any
	for manifest, into := range map[string]*map[string]any{
		`
properties:
  spec:
    properties:
      queue: {type: string, default: q}
      podSpec:
        type: object
        properties:
          containers:
            type: array
            x-kubernetes-list-type: map
            x-kubernetes-list-map-keys: [name]
            items:
              type: object
              required: [name]
              properties:
                name: {type: string}
                ports:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [containerPort, protocol]
                  items: {type: object, properties: {protocol: {type: string, default: TCP}}}
          nodeSelector: {type: object, additionalProperties: {type: string}}
          activeDeadlineSeconds: {type: integer}
          httpHeaders: {type: array, items: {type: object, required: [name, value], properties: {name: {type: string}, value: {type: string}}}}
`: &kind,
		`
properties:
  spec:
    properties:
      queue: {type: string, default: q}
      podSpec:
        type: object
        x-kubernetes-preserve-unknown-fields: true
        properties:
          containers:
            type: array
            nullable: true
            x-kubernetes-list-type: map
            x-kubernetes-list-map-keys: [name]
            items:
              type: object
              x-kubernetes-preserve-unknown-fields: true
              required: [name]
              properties:
                name: {type: string}
                ports:
                  type: array
                  nullable: true
                  x-kubernetes-list-type: atomic
                  items: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {protocol: {type: string, nullable: true}}}
          nodeSelector: {type: object, nullable: true, additionalProperties: {type: string}}
          activeDeadlineSeconds: {type: integer, nullable: true}
          httpHeaders:
            type: array
            nullable: true
            items:
              type: object
              x-kubernetes-preserve-unknown-fields: true
              required: [name]
              properties: {name: {type: string}, value: {type: string, nullable: true}}
`: &want,
	} {
		if err := yaml.Unmarshal([]byte(manifest), into); err != nil {
			t.Fatal(err)
		}
	}
	likeDeployment(kind)
	if !reflect.DeepEqual(kind, want) {
		t.Errorf("got  %v\nwant %v", kind, want)
	}
}
