package tests

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// T5: the machine loses power. The data is on an ext4 of its own in a loop device;
// while writers and merges run, its backing file is copied, which is what the disk
// would have: what only the kernel's page cache has is lost. The next server runs on
// the copy, after ext4 has mended it. With appendfsync always all that was
// acknowledged must be there, under the other policies some prefix of it.
//
// It needs root, loop devices and mkfs.ext4, and fails without them. So it does
// nothing unless it is asked for: `make powerloss`.
//
//	BITKV_POWER_CUTS  how many over all policies, 0 if not set
//	BITKV_POWER_SEED  the seed, or "random"; 1 if not set
const powerImageBytes = 96 << 20

func TestPowerLoss(t *testing.T) {
	cuts := envInt(t, "BITKV_POWER_CUTS", 0)
	seed := seedOf(t, "BITKV_POWER_SEED")
	t.Logf("BITKV_POWER_CUTS=%d", cuts)
	policies := []string{"always", "everysec", "no"}
	for i, policy := range policies {
		n := (cuts + len(policies) - 1 - i) / len(policies)
		if n == 0 {
			continue
		}
		t.Run(policy, func(t *testing.T) {
			d := newLoopDisk(t)
			c := newCrasher(t, policy, seed+uint64(i))
			c.dir = d.mnt
			for cut := range n {
				d.cut(c, cut)
				if t.Failed() {
					return
				}
			}
			c.finish()
		})
	}
}

// loopDisk is an ext4 in a file.
type loopDisk struct {
	t          *testing.T
	image, mnt string
}

func newLoopDisk(t *testing.T) *loopDisk {
	t.Helper()
	dir := t.TempDir()
	d := &loopDisk{t: t, image: filepath.Join(dir, "image"), mnt: filepath.Join(dir, "mnt")}
	if err := os.Mkdir(d.mnt, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(d.image)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(powerImageBytes); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	d.run("mkfs.ext4", "-q", d.image)
	d.run("mount", "-o", "loop", d.image, d.mnt)
	t.Cleanup(func() {
		if out, err := exec.Command("umount", d.mnt).CombinedOutput(); err != nil {
			t.Errorf("umount: %v\n%s", err, out)
		}
	})
	return d
}

func (d *loopDisk) run(name string, args ...string) {
	d.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// cut runs the server and its writers for a moment and then has the disk as it would
// be without power.
func (d *loopDisk) cut(c *crasher, n int) {
	var image []byte
	if !c.letWrite(n, func() {
		if n == 0 {
			c.awaitMerge()
		}
		time.Sleep(time.Duration(c.rnd.IntN(2_000_000)) * time.Microsecond) // the moment of the cut
		if err := c.srv.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			c.t.Fatal(err)
		}
		image = d.still()
		c.srv.kill()
	}) {
		return
	}
	if c.args[1] != "always" {
		for _, w := range c.writers {
			w.acked = 0 // a suffix may be lost
		}
	}
	d.run("umount", d.mnt)
	if err := os.WriteFile(d.image, image, 0o644); err != nil {
		c.t.Fatal(err)
	}
	d.run("mount", "-o", "loop", d.image, d.mnt)
}

// still returns the backing file as it was at one moment: two copies that are the
// same. The server has been stopped, so the kernel writes back what there is, and
// is soon between two writes.
func (d *loopDisk) still() []byte {
	d.t.Helper()
	last := []byte(nil)
	for range 100 {
		image, err := os.ReadFile(d.image)
		if err != nil {
			d.t.Fatal(err)
		}
		if bytes.Equal(image, last) {
			return image
		}
		last = image
	}
	d.t.Fatal("the backing file never stands still")
	return nil
}
