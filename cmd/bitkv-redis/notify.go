package main

import (
	"net"
	"os"

	"bitkv/resp"
)

// notifies reports whether the configuration allows to tell a service manager.
func notifies(cfg *resp.Settings) bool {
	return cfg.Supervised == "systemd" || cfg.Supervised == "auto"
}

// notifySupervisor tells the service manager about a change of state, in the
// protocol of sd_notify(3), if it asked for it and the configuration allows it.
func (s *service) notifySupervisor(state string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" || !notifies(s.config.Load()) {
		return
	}
	conn, err := net.Dial("unixgram", socket)
	if err == nil {
		_, err = conn.Write([]byte(state))
		if closeErr := conn.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		s.log.Warn("the service manager could not be told", "state", state, "error", err)
	}
}
