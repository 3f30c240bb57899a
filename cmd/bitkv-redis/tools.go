package main

import "github.com/urfave/cli/v2"

func (p *process) tools() []*cli.Command { return nil }
