package main

import (
	"os"
	"path/filepath"
	"slices"

	"bitkv/resp"
)

// filesOfRedis returns the files of a Redis in the data directory, by the names that the
// configuration gives them; none if there is a database in it. Who starts this server on
// the directory and the redis.conf of a Redis gets an empty database, and shall not learn
// that from clients that miss their keys.
func filesOfRedis(config *resp.Config) []string {
	dir := config.Load().Dir
	if isDatabase(dir) == nil {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // what opens the directory says why it cannot
	}
	names := make(map[string]string)
	for _, s := range config.Get("dbfilename", "appendfilename", "appenddirname") {
		names[s.Name] = s.Value
	}
	var found []string
	for _, e := range entries {
		isDir := e.Name() == names["appenddirname"] && e.IsDir()
		isFile := (e.Name() == names["dbfilename"] || e.Name() == names["appendfilename"]) && !e.IsDir()
		if isDir || isFile {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(found)
	return found
}

// warnOfRedis says that what filesOfRedis found before the start was not read.
func (s *service) warnOfRedis(found []string) {
	if len(found) == 0 {
		return
	}
	s.log.Warn("files of Redis are in the data directory; they are not read, and the database begins empty; "+
		"docs/running.md, \"Moving over from a Redis\", says how to copy what the Redis has", "files", found)
}
