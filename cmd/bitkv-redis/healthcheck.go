package main

import (
	"bufio"
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"bitkv/resp"
)

// healthcheckName is the one tool that takes the server's configuration.
const healthcheckName = "healthcheck"

// healthcheckOwn are its own flags. The directive timeout, which has the name of one of
// them, is of no use here.
var healthcheckOwn = []string{"host", "socket", "password", "timeout"}

// healthcheckShown are the directives that decide where a server is and what it asks
// for. The others may be given, as they are to the server, and are not in the help.
var healthcheckShown = []string{"port", "bind", "unixsocket", "requirepass"}

// healthcheck asks a running server whether it serves: for containers.
func (p *process) healthcheck() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "host", Usage: "address of the server, instead of one of bind"},
		&cli.StringFlag{Name: "socket", Usage: "unix socket of the server, instead of host and port"},
		&cli.StringFlag{Name: "password", Usage: "the server's requirepass, if it has one"},
		&cli.DurationFlag{Name: "timeout", Value: 3 * time.Second, Usage: "how long to wait for the answer"},
	}
	for _, f := range directiveFlags() {
		if d, ok := f.(*cli.GenericFlag); ok && !slices.Contains(healthcheckOwn, d.Name) {
			d.Hidden = !slices.Contains(healthcheckShown, d.Name)
			flags = append(flags, d)
		}
	}
	return &cli.Command{
		Name: healthcheckName, Usage: "exit with 0 if a server answers PING and has loaded its data",
		ArgsUsage: "[file.conf | -]",
		Description: "It takes what the server was given, to find it and to be let in: the configuration file, directives as\n" +
			"flags, and variables of the environment. A server with requirepass says that it is well only to who has\n" +
			"the password: without it the exit code is 1.",
		Flags: flags,
		Action: func(c *cli.Context) error {
			config := resp.NewConfig(osFiles{})
			if _, err := p.readSources(c, config); err != nil {
				return err
			}
			cfg := config.Load()
			network, addr := "tcp", net.JoinHostPort(cmp.Or(c.String("host"), nearHost(cfg.Bind)), strconv.FormatInt(cfg.Port, 10))
			if cfg.Port == 0 {
				network, addr = "unix", cfg.UnixSocket
			}
			if socket := c.String("socket"); socket != "" {
				network, addr = "unix", socket
			}
			return ping(network, addr, cmp.Or(c.String("password"), cfg.RequirePass), c.Duration("timeout"))
		},
	}
}

// nearHost is where a server that listens on the addresses of bind is reached from the
// same machine: by the loopback, if any of them lets it.
func nearHost(bind []string) string {
	const loopback = "127.0.0.1"
	first := loopback
	for i, host := range bind {
		host = strings.TrimPrefix(host, "-") // which says that the address may be missing
		switch host {
		case "*", "0.0.0.0", loopback, "localhost":
			return loopback
		case "::", "::*":
			host = "::1"
		}
		if i == 0 {
			first = host
		}
	}
	return first
}

// ping sends PING, after AUTH if there is a password, and wants PONG. NOAUTH is a
// failure: a server that loads says it as well, so it does not tell what was asked.
func ping(network, addr, password string, timeout time.Duration) error {
	conn, err := net.DialTimeout(network, addr, timeout)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing was written that could be lost
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	ask := func(words ...string) (string, error) {
		b := fmt.Appendf(nil, "*%d\r\n", len(words))
		for _, w := range words {
			b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
		}
		if _, err := conn.Write(b); err != nil {
			return "", err
		}
		line, err := r.ReadString('\n')
		return strings.TrimRight(line, "\r\n"), err
	}
	if password != "" {
		reply, err := ask("AUTH", password)
		if err != nil {
			return err
		}
		if reply != "+OK" {
			return fmt.Errorf("%s: AUTH: %s", addr, reply)
		}
	}
	reply, err := ask("PING")
	switch {
	case err != nil:
		return err
	case reply == "+PONG":
		return nil
	case strings.HasPrefix(reply, "-NOAUTH"):
		return fmt.Errorf("%s: the server wants a password: --password, its configuration file, or BITKV_REQUIREPASS in the environment", addr)
	}
	return fmt.Errorf("%s: PING: %s", addr, reply)
}
