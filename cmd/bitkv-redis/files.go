package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxConfigBytes bounds a configuration file: a wrong name (a device, a data
// file) is refused and not read into memory.
const maxConfigBytes = 16 << 20

// osFiles is the resp.ConfigFiles of the operating system.
type osFiles struct{}

// ReadFile implements resp.ConfigFiles.
func (osFiles) ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, bare(err)
	}
	text, err := readAll(f)
	return []byte(text), bare(errors.Join(err, f.Close()))
}

// exists reports whether there is a file of that name, whatever it is.
func exists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, os.ErrNotExist)
}

// bare drops the name of the file from an error: who reports it says it.
func bare(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}

func readAll(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxConfigBytes+1))
	if err == nil && len(data) > maxConfigBytes {
		err = fmt.Errorf("larger than %d MiB", maxConfigBytes>>20)
	}
	return string(data), err
}

// Glob implements resp.ConfigFiles.
func (osFiles) Glob(pattern string) ([]string, error) { return filepath.Glob(pattern) }

// ReplaceFile implements resp.ConfigFiles. The commit point is the rename.
func (osFiles) ReplaceFile(name string, data []byte) error {
	mode := os.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	dir := filepath.Dir(name)
	tmp, err := os.CreateTemp(dir, filepath.Base(name)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
