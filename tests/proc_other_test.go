//go:build !linux

package tests

import "os/exec"

// dieWithParent does nothing where the kernel cannot do it.
func dieWithParent(*exec.Cmd) {}

// runAsNobody does nothing; these systems are not tested as root.
func runAsNobody(*exec.Cmd) {}
