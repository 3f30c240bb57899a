package engine

// Cursor walks over the elements of a collection from a position, in one of its
// orders, up or down. It is what AscendAt does for whoever visits many elements
// and has room for one: nothing is copied on the way. It is valid until
// the collection is written, and for one goroutine.
type Cursor struct {
	c    *Collection
	tree *countedTree
	path treePath // to the element that comes next; a nil leaf: there is none
	down bool
}

// Up returns a Cursor from position i on, which may be Len, in ascending order.
func (c *Collection) Up(i int) Cursor { return c.cursor(&c.main, i, false) }

// Down returns a Cursor from position i down, which may be -1.
func (c *Collection) Down(i int) Cursor { return c.cursor(&c.main, i, true) }

// UpScore is Up in the order by value. REQUIRES: OrderScore.
func (c *Collection) UpScore(i int) Cursor { return c.cursor(&c.score, i, false) }

// DownScore is Down in the order by value. REQUIRES: OrderScore.
func (c *Collection) DownScore(i int) Cursor { return c.cursor(&c.score, i, true) }

func (c *Collection) cursor(t *countedTree, i int, down bool) Cursor {
	k := Cursor{c: c, tree: t, down: down}
	if i >= 0 && i < t.size {
		t.searchAt(&k.path, i)
	}
	return k
}

// Next makes e the next element. It reports false, and leaves e alone, if there is
// none.
func (k *Cursor) Next(e *Element) bool {
	p := &k.path
	if p.leaf == nil {
		return false
	}
	k.c.read(e, p.ref())
	switch {
	case !k.down:
		if p.place++; p.place == int(p.leaf.n) {
			k.tree.nextLeaf(p)
		}
	case p.place == 0:
		k.tree.prevLeaf(p)
	default:
		p.place--
	}
	return true
}
