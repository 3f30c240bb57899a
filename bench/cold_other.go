//go:build !linux

package main

import "os"

// dropCache does nothing: other systems have no such advice.
func dropCache(*os.File) {}
