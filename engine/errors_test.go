package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestErrorsNameThePackageOnce(t *testing.T) {
	cause := &fs.PathError{Op: "write", Path: "/d/1.data", Err: fs.ErrPermission}
	for _, tt := range []struct {
		got  error
		want string
	}{
		{errorf("engine: merge: %w", cause), "engine: merge: write /d/1.data: permission denied"},
		{errorf("engine: merge: %w", ErrClosed), "engine: merge: closed"},
		{errorf("engine: merge: %w", errorf("engine: create %s: %w", "1.data", ErrClosed)), "engine: merge: create 1.data: closed"},
		{
			errorf("engine: merge: %w", errorf("%w: %w", ErrNoSpace, errorf("engine: read: %w", cause))),
			"engine: merge: no space left on device: read: write /d/1.data: permission denied",
		},
		{errorf("%w: %w", ErrFailed, cause), "engine: storage failed, writes are refused: write /d/1.data: permission denied"},
	} {
		if tt.got.Error() != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
		if !errors.Is(tt.got, ErrClosed) && !errors.Is(tt.got, fs.ErrPermission) {
			t.Errorf("%q has lost its cause", tt.got)
		}
	}
}

// A data file that was emptied is damaged, in words without prefixes.
func TestCheckOfAnEmptiedFile(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, Options{})
	if err := db.Put([]byte("k"), []byte("a value")); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	if err := os.Truncate(filepath.Join(dir, dataFileName(1)), 0); err != nil {
		t.Fatal(err)
	}
	r, err := Check(nil, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, p := range r.Problems {
		reasons = append(reasons, p.Reason)
	}
	want := []string{"file header is cut short", "the file ends before its footer does"}
	if !slices.Equal(reasons, want) {
		t.Errorf("got %q, want %q", reasons, want)
	}
}
