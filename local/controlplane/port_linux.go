package controlplane

import (
	"os"

	"golang.org/x/sys/unix"
)

func bind(number int) (*port, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return nil, closeOnError(fd, err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: number, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, closeOnError(fd, err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return nil, closeOnError(fd, err)
	}
	address, ok := name.(*unix.SockaddrInet4)
	if !ok {
		return nil, closeOnError(fd, errNoPort)
	}
	return &port{number: address.Port, socket: os.NewFile(uintptr(fd), "reserved port")}, nil
}
