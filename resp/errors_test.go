package resp

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"bitkv/types"
)

func TestErrUnknownCommand(t *testing.T) {
	long := strings.Repeat("x", 200)
	rows := []struct {
		name string
		args []string
		want string
	}{
		{"alone", []string{"foo"}, "ERR unknown command 'foo', with args beginning with: "},
		{"with arguments", []string{"foo", "a", "", "b"}, "ERR unknown command 'foo', with args beginning with: 'a' '' 'b' "},
		{"long name", []string{long}, "ERR unknown command '" + long[:128] + "', with args beginning with: "},
		{"long argument", []string{"foo", long, "b"}, "ERR unknown command 'foo', with args beginning with: '" + long[:128] + "' "},
		{
			"many arguments",
			[]string{"foo", long[:100], long, "b"},
			"ERR unknown command 'foo', with args beginning with: '" + long[:100] + "' '" + long[:25] + "' ",
		},
		{"zero byte", []string{"f\x00o", "a\x00b"}, "ERR unknown command 'f', with args beginning with: 'a' "},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var args [][]byte
			for _, arg := range row.args {
				args = append(args, []byte(arg))
			}
			if got := errUnknownCommand(args); got != row.want {
				t.Errorf("got  %q\nwant %q", got, row.want)
			}
		})
	}
}

func TestErrUnknownSubcommand(t *testing.T) {
	got := errUnknownSubcommand([]byte("object"), []byte("FOO"))
	if want := "ERR unknown subcommand 'FOO'. Try OBJECT HELP."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = errSubcommandSyntax([]byte("Client"), []byte("kill"))
	if want := "ERR unknown subcommand or wrong number of arguments for 'kill'. Try CLIENT HELP."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrorTextOfDisk(t *testing.T) {
	for err, want := range map[error]string{
		types.ErrDiskLimit: "MISCONF The data directory has reached maxdisk. Commands that may add data are refused; delete keys, or raise maxdisk.",
		types.ErrNoSpace:   "MISCONF Errors writing to the AOF file: No space left on device",
		types.ErrFailed:    "MISCONF Errors writing to the AOF file: " + types.ErrFailed.Error(),
	} {
		if text, known := errorText(err); text != want || !known {
			t.Errorf("errorText(%v) = %q, %v, want %q", err, text, known, want)
		}
	}
}

// TestErrorText checks that every sentinel has a text with a code, also behind
// other errors, and that the others are for the log.
func TestErrorText(t *testing.T) {
	for _, row := range typesErrors {
		text, known := errorText(fmt.Errorf("set: %w", row.err))
		if text != row.text || !known {
			t.Errorf("errorText(%v) = %q, %v, want %q", row.err, text, known, row.text)
		}
		code, _, _ := strings.Cut(text, " ")
		if code == "" || code != strings.ToUpper(code) {
			t.Errorf("%q begins with no code", text)
		}
	}
	for _, err := range []error{types.ErrCorrupt, errors.New("surprise")} {
		if text, known := errorText(err); known || strings.Contains(text, "surprise") {
			t.Errorf("errorText(%v) = %q, %v", err, text, known)
		}
	}
}
