package resp

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// residentBytes returns the memory of this process that is in RAM, and how much
// of it is backed by files: mapped data files, the program itself.
func residentBytes() (total, file int64) {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 3 {
		return 0, 0
	}
	page := int64(os.Getpagesize())
	resident, err1 := strconv.ParseInt(string(fields[1]), 10, 64)
	shared, err2 := strconv.ParseInt(string(fields[2]), 10, 64)
	if err1 != nil || err2 != nil {
		return 0, 0
	}
	return resident * page, shared * page
}

// systemMemory returns the RAM of the machine.
func systemMemory() int64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// systemName returns what uname says: name, release and machine.
func systemName() string {
	var u syscall.Utsname
	if err := syscall.Uname(&u); err != nil {
		return "Linux"
	}
	return utsField(u.Sysname[:]) + " " + utsField(u.Release[:]) + " " + utsField(u.Machine[:])
}

// utsField turns a field of uname into a string. Its type differs between
// machines.
func utsField[T int8 | uint8](field []T) string {
	var b []byte
	for _, ch := range field {
		if ch == 0 {
			break
		}
		b = append(b, byte(ch))
	}
	return string(b)
}
