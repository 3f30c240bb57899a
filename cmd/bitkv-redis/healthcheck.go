package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// healthcheck asks a running server whether it serves: for containers.
func (p *process) healthcheck() *cli.Command {
	return &cli.Command{
		Name: "healthcheck", Usage: "exit with 0 if a server answers PING and has loaded its data",
		Description: "A server with requirepass says that only to who has the password: without it the exit code is 1.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "host", Value: "127.0.0.1", Usage: "address of the server"},
			&cli.IntFlag{Name: "port", Value: 6379, Usage: "port of the server", EnvVars: []string{"BITKV_PORT"}},
			&cli.StringFlag{Name: "socket", Usage: "unix socket of the server, instead of host and port"},
			&cli.StringFlag{Name: "password", Usage: "the server's requirepass, if it has one", EnvVars: []string{"BITKV_REQUIREPASS"}},
			&cli.DurationFlag{Name: "timeout", Value: 3 * time.Second, Usage: "how long to wait for the answer"},
		},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0); err != nil {
				return err
			}
			network, addr := "tcp", net.JoinHostPort(c.String("host"), strconv.Itoa(c.Int("port")))
			if socket := c.String("socket"); socket != "" {
				network, addr = "unix", socket
			}
			return ping(network, addr, c.String("password"), c.Duration("timeout"))
		},
	}
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
		return fmt.Errorf("%s: the server wants a password: --password, or BITKV_REQUIREPASS in the environment", addr)
	}
	return fmt.Errorf("%s: PING: %s", addr, reply)
}
