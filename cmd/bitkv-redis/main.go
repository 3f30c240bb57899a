// Bitkv-redis is a Redis-compatible server on a Bitcask engine, with the tools
// to look after its data directory.
//
//	bitkv-redis [file.conf] [--directive value ...]
//	bitkv-redis check|repair|dump|backup|merge|healthcheck ...
//
// It exits with 0 after an ordered shutdown, and with 1 and one line on standard
// error if it cannot start or do what it was asked.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"bitkv/resp"
)

// version is set by the build: -ldflags "-X main.version=1.2.3".
var version = ""

func main() {
	p := process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), args: os.Args[1:]}
	os.Exit(p.run(p.args))
}

// process is what the program has from its surroundings.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	args           []string // without the program's name

	writeErr error // of the first write to stdout that failed
}

// printf writes to standard output. A failure is the program's.
func (p *process) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(p.stdout, format, args...); err != nil && p.writeErr == nil {
		p.writeErr = fmt.Errorf("standard output: %w", err)
	}
}

// report writes a line to standard error. There is nowhere to say that it failed.
func (p *process) report(text string) { _, _ = fmt.Fprintln(p.stderr, text) }

// run does what the arguments ask for and returns the exit code.
func (p *process) run(args []string) int {
	err := p.command(args)
	if err = errors.Join(err, p.writeErr); err != nil {
		p.report("bitkv-redis: " + oneLine(err))
		return 1
	}
	return 0
}

// packagePrefix is what the packages of this program begin their errors with, for
// programmers: an operator needs to know what happened and not which package says it.
var packagePrefix = regexp.MustCompile(`(^|: |; )(?:(?:engine|types|resp): )+`)

// oneLine is the text of an error for the operator: on one line, without the
// prefixes of packages.
func oneLine(err error) string {
	text := strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	return packagePrefix.ReplaceAllString(text, "$1")
}

// command parses the arguments and runs what they name.
func (p *process) command(args []string) error {
	app := p.app()
	if len(args) == 2 && args[0] == "help" && app.Command(args[1]) != nil {
		args = []string{args[1], "--help"} // as of every other program with commands
	}
	if len(args) == 0 || app.Command(args[0]) == nil {
		var err error
		if args, err = serverArgs(args); err != nil {
			return err
		}
	} else if args[0] == healthcheckName {
		rest, err := serverArgs(args[1:], healthcheckOwn...)
		if err != nil {
			return err
		}
		args = append([]string{healthcheckName}, rest...)
	}
	return app.Run(append([]string{"bitkv-redis"}, args...))
}

// app describes the command line.
func (p *process) app() *cli.App {
	// -v is Redis's; urfave's own flag would be the same but for the text.
	cli.VersionPrinter = func(*cli.Context) { p.printf("%s\n", versionLine()) }
	return &cli.App{
		Name:            "bitkv-redis",
		Usage:           "a Redis-compatible server that keeps its data on disk",
		ArgsUsage:       "[file.conf | -]",
		UsageText:       "bitkv-redis [file.conf | -] [--directive value ...]\nbitkv-redis command [arguments]",
		Description:     "Without a command it serves. Every directive of the configuration file is also a flag, and a variable of the environment: --port 7000, BITKV_PORT=7000. docs/configuration.md has them all; those without effect are not shown here.",
		Version:         versionString(),
		HideHelpCommand: true,
		Flags:           directiveFlags(),
		Action:          p.serve,
		Commands:        p.tools(),
		Writer:          p.stdout,
		ErrWriter:       p.stderr,
		ExitErrHandler:  func(*cli.Context, error) {}, // run reports it
		OnUsageError:    usageError,
	}
}

// versionString is the version of this build: as set by the linker, or the
// revision that the Go tool recorded.
func versionString() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return strings.TrimPrefix(v, "v")
	}
	return "devel"
}

func versionLine() string {
	return fmt.Sprintf("bitkv-redis v=%s redis=%s %s %s/%s",
		versionString(), resp.RedisVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
