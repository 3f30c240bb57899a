package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"bitkv/resp"
)

// The server's command line is Redis's: the configuration file first, if there
// is one, then directives, each with as many words as it takes: --save 60 1
// --port 7000. serverArgs turns that into what a flag parser reads.

// directiveValue is the value of a directive's flag. Each use of the flag is a
// line of words, quoted as in the configuration file.
type directiveValue struct{ lines []string }

// Set implements cli.Generic.
func (v *directiveValue) Set(line string) error {
	v.lines = append(v.lines, line)
	return nil
}

// String implements cli.Generic.
func (v *directiveValue) String() string { return strings.Join(v.lines, "; ") }

// directiveFlags returns a flag for every directive. Those without effect are
// not shown in the help.
func directiveFlags() []cli.Flag {
	var flags []cli.Flag
	for _, d := range resp.Directives() {
		usage := d.Doc
		if d.Default != "" {
			usage += " Default: " + d.Default + "."
		}
		flags = append(flags, &cli.GenericFlag{
			Name: d.Name, Usage: usage, Hidden: d.Inert, Value: new(directiveValue),
		})
	}
	return flags
}

// serverArgs rewrites the server's arguments for the flag parser: every
// directive with its words becomes one --name=words, the configuration file
// comes last. It refuses what is neither a directive nor one of own, flags of one word.
func serverArgs(args []string, own ...string) ([]string, error) {
	byName := directivesByName()
	var flags, files []string
	if len(args) > 0 && (args[0] == "-" || !strings.HasPrefix(args[0], "-")) {
		files, args = []string{"--", args[0]}, args[1:]
	}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch arg {
		case "-h", "--help", "-v", "--version":
			return []string{arg}, nil
		}
		name, value, inline := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if strings.HasPrefix(arg, "--") && slices.Contains(own, name) {
			flags = append(flags, arg)
			if !inline && len(args) > 0 {
				flags = append(flags, args[0])
				args = args[1:]
			}
			continue
		}
		if !strings.HasPrefix(arg, "--") && len(files) > 0 && isMisspelt(files[1]) {
			return nil, noCommand(files[1]) // and its arguments
		}
		name = strings.ToLower(name)
		d, known := byName[name]
		if !strings.HasPrefix(arg, "--") || !known {
			return nil, &resp.ConfigError{Origin: "command line", Directive: arg, Reason: resp.WhyNoDirective(name)}
		}
		var list []string
		switch {
		case !inline:
			for len(args) > 0 && !strings.HasPrefix(args[0], "--") {
				list = append(list, args[0])
				args = args[1:]
			}
			if d.Words && len(list) == 1 {
				list = splitMany(list[0])
			}
		case d.Words:
			list = splitMany(value)
		default:
			list = []string{value}
		}
		for i := range list {
			list[i] = resp.QuoteWord(list[i])
		}
		flags = append(flags, "--"+d.Name+"="+strings.Join(list, " "))
	}
	return append(flags, files...), nil
}

// splitMany splits the one argument that the words of a directive came in:
// --save "60 1". Bad quotes are left to the parser of the value.
func splitMany(value string) []string {
	if list, ok := resp.SplitWords(value); ok && len(list) > 0 {
		return list
	}
	return []string{value}
}

// directivesByName returns every directive by its name and by its aliases.
func directivesByName() map[string]resp.Directive {
	byName := make(map[string]resp.Directive)
	for _, d := range resp.Directives() {
		for _, name := range append([]string{d.Name}, d.Aliases...) {
			byName[name] = d
		}
	}
	return byName
}

// readSources reads the configuration: file, environment, command line.
func (p *process) readSources(c *cli.Context, config *resp.Config) (warnings []string, err error) {
	sources := config.Begin()
	switch file := c.Args().First(); {
	case c.Args().Len() > 1:
		return nil, fmt.Errorf("command line: %s: only one configuration file is read", c.Args().Get(1))
	case file == "-":
		text, err := readAll(p.stdin)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		if err := sources.Text("standard input", text); err != nil {
			return nil, err
		}
	case file != "":
		if isMisspelt(file) {
			return nil, noCommand(file)
		}
		if err := sources.File(file); err != nil {
			return nil, err
		}
	}
	sources.Fresh()
	if err := p.readEnvironment(sources); err != nil {
		return nil, err
	}
	sources.Fresh()
	for _, d := range resp.Directives() {
		value, ok := c.Generic(d.Name).(*directiveValue)
		if !ok {
			continue
		}
		for _, line := range value.lines {
			words, ok := resp.SplitWords(line)
			if !ok {
				return nil, &resp.ConfigError{Origin: "command line", Directive: "--" + d.Name, Reason: "unbalanced quotes"}
			}
			if err := sources.Directive("command line", d.Name, words...); err != nil {
				return nil, err
			}
		}
	}
	err = sources.Done()
	return sources.Warnings, err
}

// isMisspelt reports whether a first argument is rather the name of a command than
// that of a configuration file that is missing.
func isMisspelt(name string) bool {
	return name != "-" && !strings.ContainsAny(name, "./") && !exists(name)
}

func noCommand(name string) error {
	return fmt.Errorf("%s is neither a command nor a configuration file; see bitkv-redis -h", name)
}

// envPrefix begins the names of the environment's variables.
const envPrefix = "BITKV_"

// readEnvironment reads BITKV_MAXMEMORY=1gb and the like.
func (p *process) readEnvironment(sources *resp.Sources) error {
	names := make(map[string]resp.Directive)
	for name, d := range directivesByName() {
		names[envPrefix+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] = d
	}
	for _, entry := range p.environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		d, known := names[name]
		switch {
		case strings.HasPrefix(value, "tcp://") || strings.HasPrefix(value, "udp://"):
			// Kubernetes sets BITKV_PORT=tcp://10.0.0.1:6379 beside a service
			// called bitkv.
			continue
		case !known:
			sources.Warnings = append(sources.Warnings, "environment: "+name+" is not the name of a directive")
			continue
		}
		words := []string{value}
		if d.Words {
			words = splitMany(value)
		}
		if err := sources.Directive("environment variable "+name, d.Name, words...); err != nil {
			return err
		}
	}
	return nil
}
