package resp

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bitkv/types"
)

// syncFS is a file system whose syncs a test holds up or lets fail.
type syncFS struct {
	types.FS
	sync func() error // called before each sync of a file
}

type syncFile struct {
	types.File
	fs *syncFS
}

func (fs *syncFS) Create(name string) (types.File, error) { return fs.wrap(fs.FS.Create(name)) }

func (fs *syncFS) Open(name string, readOnly bool) (types.File, error) {
	return fs.wrap(fs.FS.Open(name, readOnly))
}

func (fs *syncFS) wrap(f types.File, err error) (types.File, error) {
	if err != nil {
		return nil, err
	}
	return &syncFile{f, fs}, nil
}

func (f *syncFile) Sync() error {
	if err := f.fs.sync(); err != nil {
		return err
	}
	return f.File.Sync()
}

// slowDisk holds up syncs while it is shut.
type slowDisk struct {
	mu      sync.Mutex
	shut    chan struct{} // closed when syncs go on; nil: they are not held up
	waiting chan struct{} // gets a value for each sync that is held up
	failing atomic.Bool
}

func (d *slowDisk) sync() error {
	d.mu.Lock()
	shut := d.shut
	d.mu.Unlock()
	if shut != nil {
		select {
		case d.waiting <- struct{}{}:
		default:
		}
		<-shut
	}
	time.Sleep(2 * time.Millisecond) // it is slow at the best of times
	if d.failing.Load() {
		return errors.New("the disk fails")
	}
	return nil
}

func (d *slowDisk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut, d.waiting = make(chan struct{}), make(chan struct{}, 1)
}

func (d *slowDisk) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut != nil {
		close(d.shut)
		d.shut = nil
	}
}

// startAlways starts a server with appendfsync always on a disk that can be shut.
func startAlways(t *testing.T) (*testServer, *slowDisk) {
	t.Helper()
	d := &slowDisk{}
	opt := types.Options{}
	opt.Engine.FS = &syncFS{types.OSFS(), d.sync}
	s := prepareServerOn(t, opt, always)
	t.Cleanup(d.open)
	s.start()
	return s, d
}

// While a slow disk is waited for, clients that have nothing to wait for are served;
// one that saw what is not on the disk yet waits as well.
func TestAlwaysServesOthersMeanwhile(t *testing.T) {
	s, d := startAlways(t)
	writer, reader, second, late := s.dial(t), s.dial(t), s.dial(t), s.dial(t)
	writer.want("SET before 1", "+OK\r\n")
	reader.want("PING", "+PONG\r\n")
	d.close()
	writer.send("SET k 1\r\n")
	<-d.waiting
	reader.want("GET before", "$1\r\n1\r\n")
	reader.want("PING", "+PONG\r\n")
	late.send("GET k\r\n") // it waits
	second.send("SET other 2\r\n")
	reader.want("GET before", "$1\r\n1\r\n")
	for _, c := range []*testConn{writer, late, second} {
		c.wantNothing()
	}
	d.open()
	writer.wantReply("+OK\r\n")
	late.wantReply("$1\r\n1\r\n")
	second.wantReply("+OK\r\n")
	writer.want("GET other", "$1\r\n2\r\n")
}

// A sync that fails is not acknowledged: the client is closed.
func TestAlwaysSyncFails(t *testing.T) {
	s, d := startAlways(t)
	writer, reader := s.dial(t), s.dial(t)
	writer.want("SET before 1", "+OK\r\n")
	reader.want("PING", "+PONG\r\n")
	d.close()
	writer.send("SET k 1\r\n")
	<-d.waiting
	d.failing.Store(true)
	d.open()
	writer.wantClosed()
	reader.want("GET before", "$1\r\n1\r\n")
	s.diskFails = true
}

// BenchmarkAlways is appendfsync always with one client and with 50, on a disk whose
// syncs take a millisecond.
func BenchmarkAlways(b *testing.B) {
	for _, clients := range []int{1, 50} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			opt := types.Options{}
			opt.Engine.FS = &syncFS{types.OSFS(), func() error { time.Sleep(time.Millisecond); return nil }}
			s := prepareServerOn(b, opt, always)
			s.start()
			var left atomic.Int64
			left.Store(int64(b.N))
			var work sync.WaitGroup
			b.ResetTimer()
			for i := range clients {
				conn, err := net.Dial("tcp", s.addr)
				if err != nil {
					b.Fatal(err)
				}
				work.Go(func() {
					defer conn.Close()
					cmd, reply := fmt.Appendf(nil, "*3\r\n$3\r\nSET\r\n$3\r\n%03d\r\n$1\r\nx\r\n", i), make([]byte, 16)
					for left.Add(-1) >= 0 {
						if _, err := conn.Write(cmd); err != nil {
							b.Error(err)
							return
						}
						if n, err := conn.Read(reply); err != nil || string(reply[:n]) != "+OK\r\n" {
							b.Errorf("got %q, %v", reply[:n], err)
							return
						}
					}
				})
			}
			work.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
		})
	}
}

func always(s *Settings) { s.AppendFsync = "always" }
