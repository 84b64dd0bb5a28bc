//go:build !linux

package controlplane

import "errors"

func bind(int) (*port, error) { return nil, errors.New("local mode needs Linux") }
